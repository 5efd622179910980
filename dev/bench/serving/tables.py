"""Tables in Markdown: they are read as they are, on a terminal and in docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median

from dev.bench.serving.growth import Growth
from dev.bench.serving.half_load import HalfLoad
from dev.bench.serving.lines import Line
from dev.bench.serving.measuring import Cell, Found
from dev.bench.serving.scaling import Scaling
from dev.bench.serving.subjects import SUBJECTS
from dev.bench.serving.works import WORKS

MISSING = "–"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; every column but the first is aligned right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        padded = [first[0].ljust(first[1]), *(text.rjust(width) for text, width in others)]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([line(head), line(rule), *map(line, rows)])


def rates_table(found: Found) -> str:
    """Return requests a second, a row a work, a column a subject."""
    return _cells_table(found, lambda cell: found.rate(cell.work, cell.subject))


def cpu_table(found: Found) -> str:
    """Return microseconds of processor time that a request takes, all processes together."""

    def cpu(cell: Cell) -> float | None:
        samples = found.samples.get(cell)
        return median(sample.cpu_us for sample in samples) if samples else None

    return _cells_table(found, cpu)


def lines_table(lines: Sequence[Line]) -> str:
    """Return the lines with a limit."""
    rows = [
        (line.work, line.against, line.figure_text or MISSING, line.limit_text, line.verdict)
        for line in lines
    ]
    return table(("work", "against", "figure", "limit", ""), rows)


def half_table(half: Mapping[str, HalfLoad]) -> str:
    """Return latency at half of the top rate."""
    rows = [
        (
            SUBJECTS[name].title,
            number(one.asked_rate),
            number(one.rate),
            number(one.p50),
            number(one.p99),
            f"{one.ratio:.1f}",
        )
        for name, one in half.items()
    ]
    return table(("look-up at half load", "asked/s", "answered/s", "p50, µs", "p99, µs", "×"), rows)


def scaling_table(scaling: Sequence[Scaling]) -> str:
    """Return rates and processor time with one worker and with two."""
    rows = [
        (
            f"{SUBJECTS[one.subject].title}: {WORKS[one.work].title}",
            *map(number, one.rates),
            f"{one.ratio:.2f}",
            *(f"{value:.1f}" for value in one.cpu_us),
        )
        for one in scaling
    ]
    head = ("workers", "1: req/s", "2: req/s", "×", "1: CPU, µs", "2: CPU, µs")
    return table(head, rows)


def growth_table(growth: Growth) -> str:
    """Return what a look-up takes over few rows and over many."""
    rows = [
        (f"{count:,} rows", number(p50), f"{cpu:.1f}")
        for count, p50, cpu in zip(growth.rows, growth.p50, growth.cpu_us, strict=True)
    ]
    return table(("look-up, one connection", "p50, µs", "CPU, µs"), rows)


def number(value: float) -> str:
    """Return a number with at least three digits that count, thousands apart."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _cells_table(found: Found, figure: Callable[[Cell], float | None]) -> str:
    subjects = [name for name in SUBJECTS if any(cell.subject == name for cell in found.samples)]
    works = [name for name in WORKS if any(cell.work == name for cell in found.samples)]

    def text(work: str, subject: str) -> str:
        value = figure(Cell(work, subject))
        return MISSING if value is None else number(value)

    rows = [(WORKS[work].title, *(text(work, name) for name in subjects)) for work in works]
    return table(("", *(SUBJECTS[name].title for name in subjects)), rows)
