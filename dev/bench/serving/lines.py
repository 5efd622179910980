"""The lines that have a limit: what was measured, against what, and whether it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dev.bench.serving.growth import Growth
from dev.bench.serving.half_load import HalfLoad
from dev.bench.serving.measuring import Found
from dev.bench.serving.scaling import Scaling, figure_work
from dev.bench.serving.subjects import SUBJECTS
from dev.bench.serving.works import WORKS

Figures = Mapping[str, float]
"""Figures that other measurements wrote, such as `build_speed.plain_ratio`."""

# Work of the service, peer, work of the peer, least ratio of the rates.
_RATIOS = (
    ("lookup", "floor", "lookup", 2.0),
    ("lookup", "nginx", "lookup", 0.5),
    ("not_modified", "floor", "lookup", 2.5),
    ("total", "floor", "lookup", 1.0),
    ("total", "duckdb", "total", 20.0),
    ("total", "roapi", "total", 100.0),
    ("total", "postgres", "total", 5.0),
    ("lookup", "duckdb", "lookup", 50.0),
    ("lookup", "roapi", "lookup", 200.0),
    ("lookup", "postgres", "lookup", 5.0),
    ("nested", "nginx", "nested", 0.4),
    ("nested", "floor", "nested", 1.5),
)
_NAMES = {
    "lookup": "look-up, not cached",
    "not_modified": "304 by ETag",
    "total": "aggregate over a tenant, not cached",
    "nested": "nested 50 KB, not cached",
}
# Figure of another measurement, what it is, against what, unit, most.
_ELSEWHERE = (
    ("build_speed.plain_ratio", "builder, time", "DuckDB", "×", 1.0),
    ("build_speed.texts_ratio", "builder with encoded rows, time", "DuckDB", "×", 2.0),
    ("worker_memory.private_mb", "private memory of a worker, 50 datasets", "", "MB", 60.0),
    ("counters.microseconds", "counting a request", "", "µs", 1.0),
)


@dataclass(frozen=True, slots=True)
class Line:
    """One figure and its limit; `figure` is None when it was not measured."""

    work: str
    against: str
    figure: float | None
    unit: str
    limit: float
    is_most: bool = False

    @property
    def verdict(self) -> str:
        """`ok`, `missed`, or `not measured`."""
        if self.figure is None:
            return "not measured"
        holds = self.figure <= self.limit if self.is_most else self.figure >= self.limit
        return "ok" if holds else "missed"

    @property
    def figure_text(self) -> str:
        """The figure with its unit."""
        return "" if self.figure is None else f"{_short(self.figure)} {self.unit}"

    @property
    def limit_text(self) -> str:
        """The limit with its unit and its direction."""
        return f"{'at most' if self.is_most else 'at least'} {self.limit:g} {self.unit}"


def lines_of(
    found: Found,
    half: Mapping[str, HalfLoad],
    scaling: Sequence[Scaling],
    growth: Growth | None,
    figures: Figures,
) -> list[Line]:
    """Return every line, measured or not."""
    lines = [_ratio(found, *ratio) for ratio in _RATIOS]
    ordinary, floor = found.rate("lookup", "ordinary"), found.rate("lookup", "floor")
    part = ordinary / floor if ordinary and floor else None
    lines.append(Line("look-up, hot path off", SUBJECTS["floor"].title, part, "×", 0.8))
    lines.append(_growth(growth))
    lines.append(_scaling(scaling))
    at_half = half.get("offloader")
    p99 = at_half.ratio if at_half else None
    lines.append(Line("p99 at half load", "its median", p99, "×", 3.0, is_most=True))
    for name, work, against, unit, limit in _ELSEWHERE:
        lines.append(Line(work, against, figures.get(name), unit, limit, is_most=True))
    return lines


def _ratio(found: Found, work: str, peer: str, peers_work: str, least: float) -> Line:
    ours, theirs = found.rate(work, "offloader"), found.rate(peers_work, peer)
    ratio = ours / theirs if ours and theirs else None
    return Line(_NAMES[work], SUBJECTS[peer].title, ratio, "×", least)


def _scaling(scaling: Sequence[Scaling]) -> Line:
    work = figure_work()
    ratios = [one.ratio for one in scaling if (one.subject, one.work) == ("offloader", work)]
    figure = ratios[0] if ratios else None
    return Line(f"two workers, {WORKS[work].title}", "one worker", figure, "×", 1.7)


def _growth(growth: Growth | None) -> Line:
    few, many = growth.rows if growth else (1_000_000, 100_000_000)
    name, against = f"look-up in {many / 1e6:g} M rows", f"in {few / 1e6:g} M rows"
    return Line(name, against, growth.ratio if growth else None, "×", 1.3, is_most=True)


def _short(value: float) -> str:
    """Return a figure with three digits that count."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
