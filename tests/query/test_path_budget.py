"""Answers do not depend on which access paths there are: all, the most useful ones, or none."""

from __future__ import annotations

from unittest.mock import patch
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings

from offloader.catalog.documents import parse_documents
from offloader.query.plan import compile_plan
from offloader.segment import path_choice
from offloader.segment.access_path import derive_paths
from offloader.segment.path_choice import path_for
from offloader.segment.path_ways import ways_of
from tests.query.serving import Served
from tests.query.strategies import Case, Scenario, scenarios
from tests.segment.tables import build
from tests.segment.test_path_choice import documents_of


@settings(max_examples=150)
@given(scenarios(4))
def test_answers_are_the_same_whatever_paths_there_are(scenario: Scenario) -> None:
    """Every body equals the scan's, whether the budget keeps all paths, one, or none."""
    *by_path, scanned = served_over_paths(scenario.case)
    for request in scenario.requests:
        query = urlencode(request.pairs)
        expected = scanned.body(query, request.tenant)
        assert [one.body(query, request.tenant) for one in by_path] == [expected] * 2


@settings(max_examples=150)
@given(scenarios(4))
def test_what_a_request_asks_by_value_is_looked_up(scenario: Scenario) -> None:
    """Unless the contract is beyond the ways that are looked at, no equality is left to check."""
    served, _, _ = served_over_paths(scenario.case)
    plan = served.plan
    specs = derive_paths(plan.dataset, [plan.endpoint])
    ways = ways_of(plan.dataset, plan.endpoint)
    assert all(path_for(way, specs) for way in ways if way.equal)
    for request in scenario.requests:
        located = served.located(urlencode(request.pairs), request.tenant)
        if located.is_base:  # adding doubles in source order may check all rows instead
            continue
        points = {
            item.view.name
            for item in plan.filters
            if item.op == "eq" and item.param in dict(request.pairs)
        }
        assert not {
            view.name
            for view, wanted in located.residual
            if view.name in points and is_point(wanted)
        }


def is_point(wanted: object) -> bool:
    """Tell whether a condition that is left to check asks for one value."""
    return bool(getattr(wanted, "is_point", False))


@pytest.mark.parametrize("limit", [1, 16])
def test_the_budget_is_what_limits(limit: int) -> None:
    """The patch below is what makes the property above mean something."""
    with patch.multiple(path_choice, LEAST_PATHS=limit, MOST_PATHS=limit):
        assert path_choice.path_limit(0) == limit


def served_over_paths(case: Case) -> tuple[Served, Served, Served]:
    """Serve a case over all of its paths, over the most useful one, and over none."""
    catalog = parse_documents(documents_of(case))
    dataset, endpoint = catalog.datasets["made"], catalog.endpoints["asked"]
    with patch.multiple(path_choice, LEAST_PATHS=1, MOST_PATHS=1):
        few = [spec.columns for spec in derive_paths(dataset, [endpoint])]
    every = [spec.columns for spec in derive_paths(dataset, [endpoint])]
    segments = (build(case.table, paths) for paths in (every, few, []))
    all_paths, few_paths, no_path = (
        Served(compile_plan(dataset, endpoint, segment)) for segment in segments
    )
    return all_paths, few_paths, no_path
