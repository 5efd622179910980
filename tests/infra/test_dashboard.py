"""The dashboard: Grafana can import it, it is readable, and every panel shows what is exposed."""

from __future__ import annotations

import json
from itertools import combinations
from typing import Any

import pytest

from tests.infra.reading import check_expression
from tests.infra.tools import DASHBOARD
from tests.infra.watched import Watched

GRID_WIDTH = 24
ROWS = (
    "At a glance",
    "Is it us? Requests",
    "Is it us? Processes",
    "Is it our environment?",
    "Is it the config?",
    "Is it upstream data?",
)
KINDS = {"stat", "timeseries", "state-timeline", "table"}
UNITS = {
    *("none", "short", "s", "bytes", "Bps", "reqps"),
    *("percentunit", "bool_yes_no"),
}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
DOCUMENT: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
PANELS: list[dict[str, Any]] = [p for p in DOCUMENT["panels"] if p["type"] != "row"]
EACH = pytest.mark.parametrize("panel", PANELS, ids=[panel["title"] for panel in PANELS])


def test_it_can_be_imported() -> None:
    """It has no id of another Grafana, a uid and a schema, and what it needs is a data source."""
    assert "id" not in DOCUMENT
    assert (DOCUMENT["uid"], DOCUMENT["title"]) == ("offloader", "Offloader")
    assert DOCUMENT["schemaVersion"] == 38
    assert DOCUMENT.keys() >= {"panels", "templating", "time", "annotations", "version"}
    ids = [panel["id"] for panel in DOCUMENT["panels"]]
    assert len(set(ids)) == len(ids)
    titles = [panel["title"] for panel in PANELS]
    assert len(set(titles)) == len(titles)


def test_it_names_no_host_and_no_data_source() -> None:
    """The data source is a variable, in every place, and there is no address of anything."""
    text = DASHBOARD.read_text(encoding="utf-8")
    assert "://" not in text
    variables = {one["name"]: one for one in DOCUMENT["templating"]["list"]}
    assert list(variables) == ["datasource", "job", "instance", "dataset", "endpoint"]
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    assert all(source == SOURCE for source in _sources(DOCUMENT))


def test_rows_are_the_questions_of_an_incident() -> None:
    """In the order they are asked; each is followed by its panels."""
    rows = [panel for panel in DOCUMENT["panels"] if panel["type"] == "row"]
    assert tuple(row["title"] for row in rows) == ROWS
    tops = [panel["gridPos"]["y"] for panel in DOCUMENT["panels"]]
    assert tops == sorted(tops)


def test_no_panel_lies_on_another() -> None:
    """The grid is 24 wide, and every cell belongs to one panel at most."""
    places = [panel["gridPos"] for panel in DOCUMENT["panels"]]
    for place in places:
        assert place["x"] >= 0 < place["w"]
        assert place["x"] + place["w"] <= GRID_WIDTH
    for one, other in combinations(places, 2):
        is_beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        is_below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert is_beside or is_below, (one, other)


@EACH
def test_each_panel_explains_itself(panel: dict[str, Any]) -> None:
    """A known kind, a description in sentences, a unit, and a legend where there is one."""
    assert panel["type"] in KINDS
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert [target["refId"] for target in panel["targets"]] == [*"ABC"][: len(panel["targets"])]
    if panel["type"] in ("timeseries", "state-timeline"):
        assert all(target["legendFormat"] for target in panel["targets"])


@EACH
def test_each_panel_is_about_what_is_exposed(panel: dict[str, Any], seen: Watched) -> None:
    """Every metric, label and value of its queries, and of its legends, is the real service's."""
    for target in panel["targets"]:
        check_expression(target["expr"], seen)


def test_variables_and_marks_are_about_what_is_exposed(seen: Watched) -> None:
    """`label_values(metric, label)`: the metric is exposed, and has the label; swaps are marked."""
    for mark in DOCUMENT["annotations"]["list"]:
        check_expression(mark["expr"], seen)
    for one in DOCUMENT["templating"]["list"][1:]:
        inside = one["query"]["query"].removeprefix("label_values(").removesuffix(")")
        selector, _, label = inside.rpartition(", ")
        check_expression(selector, seen)
        assert label in seen.labels_of(selector.partition("{")[0])
        assert label == one["name"]


def _sources(part: Any) -> list[Any]:
    """Return every data source that is named anywhere, but for the variable's own entry."""
    if isinstance(part, list):
        return [source for one in part for source in _sources(one)]
    if not isinstance(part, dict):
        return []
    mine = [part["datasource"]] if isinstance(part.get("datasource"), dict) else []
    return mine + [source for one in part.values() for source in _sources(one)]
