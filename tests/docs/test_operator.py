"""docs/operator.md: its formula, examples and figures fit each other and the code."""

from __future__ import annotations

import re

import pytest

from dev.bench import sizing
from offloader.cli.serve import MAIN_BYTES, WORKER_BYTES
from offloader.segment.layout import FORMAT_VERSION
from offloader.segment.path_choice import FREE_BYTES
from offloader.service.builder.memory_watch import SPARE_BYTES as BUILD_SPARE_BYTES
from offloader.service.cache import MIN_FREE_BYTES
from offloader.service.collect import YOUNG_SECONDS
from offloader.service.main.part_store import SPARE_BYTES
from offloader.settings.settings import read_settings
from tests.docs.markdown import ROOT, blocks

PAGE = ROOT / "docs" / "operator.md"
TEXT = PAGE.read_text(encoding="utf-8")
BENCHMARKS = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
MB = 1_000_000


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading, its head left out."""
    section = re.split(rf"^#+ {heading}$", TEXT, flags=re.MULTILINE)[1]
    table = re.search(r"^\|.*\n\| ---.*\n((?:\|.*\n)+)", section, re.MULTILINE)
    assert table
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table[1].splitlines()]


def number(text: str) -> float:
    """Return the number that a cell begins with."""
    return float(text.split()[0].replace(",", ""))


def constant(name: str) -> tuple[float, ...]:
    """Return the numbers of one line of the formula."""
    (formula,) = (block.text for block in blocks(PAGE) if block.text.startswith("processes"))
    (line,) = (line for line in formula.splitlines() if line.startswith(name))
    return tuple(float(one) for one in re.findall(r"\d[\d.]*", line))


def test_the_worked_examples_follow_the_formula() -> None:
    """Each column from those before it, to the megabyte."""
    base, worker = constant("processes")
    build, by_segment = constant("build")
    twice, reserve = constant("good")
    assert (twice, constant("least")) == (2, (reserve,))
    kept, heavy = (number(text) for text in re.findall(r"cache (\d+) MB.*?`HEAVY` (\d+)", TEXT)[0])
    found = rows("Worked examples")
    assert len(found) == 4
    for what, *cells in found:
        workers, p, s, largest, b, least, good = map(number, cells)
        assert p == base + workers * (worker + kept + heavy), what
        assert b == round(build + by_segment * largest), what
        assert least == p + s + max(largest, b) + reserve, what
        assert good == p + 2 * s + b + reserve, what


def test_no_measured_build_takes_more_than_the_formula() -> None:
    """Each row was measured below what the page tells to plan with."""
    build, by_segment = constant("build")
    found = rows("Builds")
    assert len(found) == 7
    for what, _, segment, peak, planned in found:
        assert round(build + by_segment * number(segment)) == number(planned), what
        assert number(peak) < number(planned), what


def test_ratios_are_those_of_their_rows() -> None:
    """Segments beside files and Arrow; bytes of a row add up."""
    for name, _, files, arrow, segment, by_files, by_arrow in rows("Segments"):
        for whole, ratio in ((files, by_files), (arrow, by_arrow)):
            found = number(segment) / number(whole)
            assert found == pytest.approx(number(ratio), rel=0.02), name
    per_row = TEXT.partition("| bytes of a row |")[2].splitlines()[2:5]
    for line in per_row:
        *parts, together = (float(cell) for cell in line.split("|")[2:-1])
        assert abs(sum(parts) - together) < 0.15, line


def test_figures_of_the_code_are_the_codes() -> None:
    """Reserves, limits and versions that the page states."""
    settings, _ = read_settings(
        {"OFFLOADER_CONFIG": "/p"}, is_terminal=False, cpus=2, memory_bytes=10_000
    )
    assert settings.memory_limit_bytes == 8000
    assert "default, 80 % of the container's memory" in TEXT
    assert round(settings.response_cache_bytes / MB) == 67
    assert constant("good")[1] == round(SPARE_BYTES / MB)
    assert f"{SPARE_BYTES / MB:.0f} MB ({SPARE_BYTES >> 20} MiB)" in TEXT
    assert f"less than {BUILD_SPARE_BYTES >> 20} MiB to what serves" in TEXT
    assert f"below {MAIN_BYTES >> 20} MiB and {WORKER_BYTES >> 20} MiB for each worker" in TEXT
    assert f"Below {MIN_FREE_BYTES >> 20} MiB free a start is refused" in TEXT
    assert f"up to 16 in {FREE_BYTES >> 20} MiB" in TEXT
    assert f"layout's is {FORMAT_VERSION})" in TEXT
    assert YOUNG_SECONDS == 60


def test_rates_are_those_of_the_benchmarks() -> None:
    """Each row of the table of CPU stands in the benchmarks, rate and time."""
    rates, times = BENCHMARKS.split("Processor time of a request in microseconds")
    found = rows("CPU")
    assert len(found) == 6
    for work, rate, micros in found:
        for text, shown in ((rates, rate), (times, micros)):
            line = re.search(rf"^\| {work} +\| +([\d.,]+) \|", text[text.index("\n| ") :], re.M)
            assert line, work
            assert line[1] == shown, work


def test_other_figures_are_those_of_the_benchmarks() -> None:
    """A start, a swap, descriptors: the page repeats what stands there."""
    for here, there in (
        ("1.35 s for 1,001 MB", "| warm restart | 1.35 s |"),
        ("10.5 s for the same", "with the build | 10.5 s |"),
        ("in 32 ms", "| served by all workers | 32 ms |"),
        ("280 for 50 datasets", "280 in all here"),
        ("1.88 times the aggregates", "|  1.88 × |"),
    ):
        assert here in TEXT
        assert there in BENCHMARKS


def test_every_metric_exists() -> None:
    """Whatever is to be watched is measured."""
    named = set(re.findall(r"`(?:rate\()?(offloader_[a-z_]+)", TEXT))
    assert len(named) > 10
    api = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert {name for name in named if f"| `{name}` |" not in api} == set()


def test_the_script_says_what_it_measures(capsys: pytest.CaptureFixture[str]) -> None:
    """The page names the command, and the command explains itself."""
    assert "`python -m dev.bench.sizing`" in TEXT
    with pytest.raises(SystemExit, match="0"):
        sizing.main(["--help"])
    assert "Measure memory and disk" in capsys.readouterr().out
