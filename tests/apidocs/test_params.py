"""Params in words and as JSON Schema, where the service's own answers do not show them."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Any

import pytest

from offloader.catalog.model import Catalog, Endpoint, Filter, FilterOp, Param
from offloader.service.apidocs.params import meaning, param_schema
from offloader.service.apidocs.patterns import list_pattern, one_of
from offloader.service.apidocs.samples import sample_params


@pytest.mark.parametrize(
    ("kind", "op", "words"),
    [
        ("string", "eq", "Rows whose account equals the value."),
        ("string", "ne", "Rows whose account differs from the value."),
        ("string", "prefix", "Rows whose account begins with the value."),
        ("integer", "gt", "Rows whose account is above the value."),
        ("integer", "lte", "Rows whose account is at most the value."),
        ("date", "gte", "Rows whose account is the value or later."),
        ("timestamp", "lt", "Rows whose account is before the value."),
        ("date", "eq", "Rows whose account equals the value."),
    ],
)
def test_filters_say_what_a_param_does(catalog: Catalog, kind: Any, op: Any, words: str) -> None:
    """Under the name that the column has in the answer."""
    assert meaning(_endpoint(catalog, op), Param("p", kind)) == words


def test_aliases_and_lists_are_told(catalog: Catalog) -> None:
    """What else may be sent, and what it stands for."""
    param = Param("p", "enum", enum=("eu", "us"), aliases={"europe": "eu"})
    assert meaning(_endpoint(catalog, "in"), param) == (
        "Rows whose account is one of the values. A comma-separated list of at most 100 values."
        " Also: europe for eu."
    )


def test_dates_show_their_bounds(catalog: Catalog) -> None:
    """JSON Schema has no words for them; days are written as dates."""
    param = Param("p", "date", min=0, max=31, default=1)
    assert param_schema(_endpoint(catalog, "gte"), param) == {
        "type": "string",
        "format": "date",
        "x-offloader-minimum": "1970-01-01",
        "x-offloader-maximum": "1970-02-01",
        "default": "1970-01-02",
    }


def test_names_of_syntax_stand_for_themselves() -> None:
    """A value may hold any character of a regular expression."""
    texts = ("a.b", "(c", "d|e", "f\\", "g/h", "i-j", "^$*+?[]{}")
    pattern = re.compile(list_pattern(one_of(texts), 7))
    assert pattern.search(",".join(texts))
    assert not pattern.search("axb")
    assert not pattern.search("d")


def test_a_wrong_list_is_found_out_at_once(catalog: Catalog) -> None:
    """An alias that looks as any other value does not double the work with each item."""
    param = Param("p", "string", aliases={"none": "n", "x" * 300: "long"})
    pattern = re.compile(str(param_schema(_endpoint(catalog, "in"), param)["pattern"]))
    began = time.thread_time()
    assert not pattern.search(",".join(["none"] * 101))
    assert time.thread_time() - began < 1
    assert pattern.search(",".join(["none", "x" * 300, "y" * 256]))
    assert not pattern.search("y" * 257)


@pytest.mark.parametrize(
    ("param", "sent"),
    [
        (Param("p", "string", True, max_length=3), "exa"),
        (Param("p", "string", True, enum=("b", "a")), "b"),
        (Param("p", "integer", True, min=7), "7"),
        (Param("p", "integer", True, max=-2), "-2"),
        (Param("p", "number", True), "1.0"),
        (Param("p", "boolean", True), "true"),
        (Param("p", "date", True), "2026-01-01"),
        (Param("p", "timestamp", True, max=0), "1970-01-01T00:00:00Z"),
    ],
)
def test_samples_are_allowed(catalog: Catalog, param: Param, sent: str) -> None:
    """A required param has a value within its bounds, and a limit stands beside it."""
    endpoint = replace(_endpoint(catalog, "eq"), params=(param,), max_limit=3)
    assert sample_params(endpoint) == {"p": sent, "limit": "3"}


def test_samples_send_the_smallest_allowed_set(catalog: Catalog) -> None:
    """Of two as small, the first by name."""
    params = tuple(Param(name, "boolean") for name in ("a", "b", "c"))
    sets = (frozenset("bc"), frozenset("b"), frozenset("a"))
    endpoint = replace(_endpoint(catalog, "eq"), params=params, combinations=sets)
    assert sample_params(endpoint) == {"a": "true", "limit": "10"}


def _endpoint(catalog: Catalog, op: FilterOp) -> Endpoint:
    """Return an endpoint whose param `p` filters the account; it has no other."""
    filters = (Filter("account", op, "p"),)
    return replace(catalog.endpoints["rows"], filters=filters, params=(), max_limit=100)
