"""What a run of the serving benchmark says, given its figures."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from dev.bench.serving import report as report_module
from dev.bench.serving.chart import chart
from dev.bench.serving.growth import Growth
from dev.bench.serving.half_load import HalfLoad
from dev.bench.serving.lines import Line, lines_of
from dev.bench.serving.measuring import Cell, Found
from dev.bench.serving.report import Report, write_docs, write_json
from dev.bench.serving.scaling import Scaling, figure_work
from dev.bench.serving.tables import rates_table, table
from dev.bench.serving.wrk import Sample

_SVG = "{http://www.w3.org/2000/svg}"


def _found(rates: dict[tuple[str, str], list[float]]) -> Found:
    found = Found()
    for (work, subject), values in rates.items():
        samples = [Sample(rate, 100.0, 200.0, 30.0, 1.0) for rate in values]
        found.samples[Cell(work, subject)] = samples
    return found


def _report(found: Found) -> Report:
    half = {"offloader": HalfLoad(15_000.0, 14_990.0, 60.0, 150.0)}
    scaling = [Scaling("offloader", figure_work(), (20_000.0, 36_000.0), (40.0, 42.0))]
    growth = Growth((1_000_000, 100_000_000), (50.0, 60.0), (30.0, 33.0))
    return Report(
        machine="2 cores",
        versions={"python": "3.11"},
        rows=1000,
        rounds=5,
        seconds=4.0,
        found=found,
        half=half,
        scaling=scaling,
        growth=growth,
        lines=lines_of(found, half, scaling, growth, {"counters.microseconds": 0.4}),
    )


def test_a_table_is_markdown_with_numbers_to_the_right() -> None:
    """Columns are as wide as their widest cell; every column but the first is aligned right."""
    assert table(("work", "rate"), [("look-up", "12"), ("sum", "3,456")]) == (
        "| work    |  rate |\n| ------- | ----: |\n| look-up |    12 |\n| sum     | 3,456 |"
    )


def test_rates_are_medians_and_what_was_not_measured_is_a_dash() -> None:
    """A row a work, a column a subject."""
    found = _found({("lookup", "offloader"): [1.0, 30_000.4, 25_000.0], ("total", "duckdb"): [9.0]})
    assert rates_table(found).splitlines()[2:] == [
        "| look-up of one account      |    25,000 |              – |",
        "| sum, count, max of a tenant |         – |            9.0 |",
    ]


@pytest.mark.parametrize(
    ("figure", "is_most", "verdict"),
    [
        (2.0, False, "ok"),
        (1.99, False, "missed"),
        (2.0, True, "ok"),
        (2.01, True, "missed"),
        (None, False, "not measured"),
    ],
)
def test_a_line_holds_at_its_limit(figure: float | None, is_most: bool, verdict: str) -> None:
    """A limit itself is fine; no figure is no verdict."""
    assert Line("work", "peer", figure, "×", 2.0, is_most).verdict == verdict


def test_lines_are_ratios_of_medians() -> None:
    """Each compares the service's work with the peer's; figures of other measurements join in."""
    rates = {
        ("lookup", "offloader"): [30_000.0],
        ("lookup", "ordinary"): [9_000.0],
        ("not_modified", "offloader"): [36_000.0],
        ("lookup", "floor"): [12_000.0],
        ("lookup", "nginx"): [50_000.0],
    }
    lines = [
        (line.work, line.figure_text, line.limit_text, line.verdict)
        for line in _report(_found(rates)).lines
        if line.figure is not None
    ]
    assert lines == [
        ("look-up, not cached", "2.50 ×", "at least 2 ×", "ok"),
        ("look-up, not cached", "0.60 ×", "at least 0.5 ×", "ok"),
        ("304 by ETag", "3.00 ×", "at least 2.5 ×", "ok"),
        ("look-up, hot path off", "0.75 ×", "at least 0.8 ×", "missed"),
        ("look-up in 100 M rows", "1.20 ×", "at most 1.3 ×", "ok"),
        (lines[5][0], "1.80 ×", "at least 1.7 ×", "ok"),
        ("p99 at half load", "2.50 ×", "at most 3 ×", "ok"),
        ("counting a request", "0.40 µs", "at most 1 µs", "ok"),
    ]


def test_the_chart_has_a_bar_for_each_rate_on_a_logarithmic_scale() -> None:
    """Ten times the rate is one grid line more, the largest bar comes first, text is escaped."""
    drawn = chart({"a < b": {"ROAPI": 10.0, "Offloader": 1000.0, "Sanic + DuckDB": 100.0}}, "x & y")
    root = ElementTree.fromstring(drawn)
    bars = [float(bar.attrib["width"]) for bar in root.iter(f"{_SVG}rect")]
    texts = [text.text for text in root.iter(f"{_SVG}text")]
    assert bars == [480.0, 320.0, 160.0]
    assert texts == [
        *("1", "10", "100", "1,000", "a < b"),
        *("Offloader", "1,000", "Sanic + DuckDB", "100", "ROAPI", "10.0", "x & y"),
    ]


def test_a_chart_of_nothing_is_refused() -> None:
    """Nothing was measured, so there is nothing to show."""
    with pytest.raises(ValueError, match="measure first"):
        chart({}, "")


def test_the_page_changes_between_its_marks_only(tmp_path: Path) -> None:
    """Tables go between the marks, however often; the chart lies beside the page."""
    page = tmp_path / "benchmarks.md"
    page.write_text(f"before\n{report_module.BEGIN}\nold\n{report_module.END}\nafter\n")
    report = _report(_found({("lookup", "offloader"): [100.0]}))
    write_docs(report, page)
    once = page.read_text()
    write_docs(report, page)
    assert page.read_text() == once
    assert once == (
        f"before\n{report_module.BEGIN}\n\n{report.text}\n\n{report_module.END}\nafter\n"
    )
    assert page.with_suffix(".svg").read_text() == report.chart


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    """The error names the marks."""
    page = tmp_path / "benchmarks.md"
    page.write_text("text")
    with pytest.raises(ValueError, match="<!-- serving -->"):
        write_docs(_report(_found({("lookup", "offloader"): [100.0]})), page)
    assert page.read_text() == "text"


def test_the_json_has_every_sample_and_verdict(tmp_path: Path) -> None:
    """Scripts need no table."""
    path = tmp_path / "made" / "figures.json"
    write_json(_report(_found({("lookup", "offloader"): [1.0, 2.0]})), path)
    document = json.loads(path.read_text())
    assert [cell["subject"] for cell in document["measured"]] == ["offloader"]
    assert [sample["rate"] for sample in document["measured"][0]["samples"]] == [1.0, 2.0]
    assert {line["verdict"] for line in document["lines"]} == {"ok", "not measured"}
