"""Quick totals: aggregates over a stretch of base rows in one step, from values to the body.

Without groups, nulls or checks left, each aggregate is one pass of numpy over a slice of shared
memory. What this leaves alone goes through execute and encode, which give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite

import numpy as np

from offloader.catalog.types import Kind
from offloader.query.cell_text import date_text, decimal_text, timestamp_text
from offloader.query.params import Bound
from offloader.query.plan import Output, Plan
from offloader.query.shape import Point, Shape
from offloader.segment.read import ColumnView, PathView

# Reading more would hold up the loop.
MAX_ROWS = 200_000

# Returns the JSON text of an aggregate over base rows [a, b), b > a; None when that takes more.
Writer = Callable[[int, int], str | None]
_add = np.add.reduce


@dataclass(slots=True, eq=False)
class TotalLane:
    """What is ready for the requests of one shape; without a `path` all rows are read."""

    path: PathView | None
    points: tuple[Point, ...]
    writers: tuple[Writer, ...]
    template: str

    def answer(
        self, plan: Plan, bound: Bound, tenant: str | None, *, stale: bool
    ) -> tuple[bytes, int] | None:
        """Return the JSON body and how many rows were read; None when it takes more than this."""
        values = bound.values
        prefix = [
            point.find(values[point.param] if point.param else tenant) for point in self.points
        ]
        if bound.offset or None in prefix:
            return None
        first, end = 0, plan.segment.row_count
        if self.path is not None:
            first, end = self.path.find(prefix)  # type: ignore[arg-type]
        if not 0 < end - first <= MAX_ROWS:
            return None
        texts = tuple([write(first, end) for write in self.writers])
        if None in texts:
            return None
        tail = plan.envelope.end(1, bound.limit, 0, stale=stale)
        return f'{{"data":[{self.template % texts}'.encode() + tail, end - first


def total_lane(plan: Plan, shape: Shape) -> TotalLane | None:
    """Return the lane of a shape whose aggregates can be answered so, else None."""
    candidate = shape.candidates[0]
    is_loose = bool(candidate.loose_points or candidate.loose_ranges) or candidate.bounds >= 0
    if plan.endpoint.group_by or len(shape.candidates) > 1 or is_loose or not candidate.is_base:
        return None
    columns = plan.endpoint.columns
    writers = [_writer(plan.outputs[alias]) for alias in columns]
    points = tuple(shape.points[number] for number in candidate.points)
    template = "{" + ",".join(f'"{alias}":%s' for alias in columns) + "}"
    known = tuple(writer for writer in writers if writer is not None)
    if len(known) < len(writers):
        return None
    return TotalLane(candidate.path, points, known, template)


def _writer(output: Output) -> Writer | None:
    view = output.view
    if view.valid is not None or view.values is None or view.dictionary is not None:
        return _count if output.agg == "count" and view.valid is None else None
    if output.agg == "count":
        return _count
    if output.agg == "sum":
        return _sum_of(view)
    if output.agg in ("min", "max"):
        return _extreme_of(view, np.minimum if output.agg == "min" else np.maximum)
    return None


def _count(first: int, end: int) -> str:
    return str(end - first)


def _sum_of(view: ColumnView) -> Writer | None:
    values, reach, scale, kind = view.values, view.reach, view.type.scale, view.type.kind
    assert values is not None

    def doubles(first: int, end: int) -> str | None:
        with np.errstate(over="ignore", invalid="ignore"):
            total = float(_add(values[first:end]))
        return repr(total) if isfinite(total) else None

    def integers(first: int, end: int) -> str | None:
        if reach is None or reach * (end - first) >= 2**63:
            return None
        total = int(_add(values[first:end], dtype=np.int64))
        return decimal_text(total, scale) if kind is Kind.DECIMAL else str(total)

    if kind is Kind.DOUBLE:
        return doubles
    return integers if kind in (Kind.INTEGER, Kind.BIGINT, Kind.DECIMAL) else None


def _extreme_of(view: ColumnView, better: np.ufunc) -> Writer | None:
    values, show = view.values, _shown(view)
    assert values is not None
    reduce = better.reduce
    return None if show is None else lambda first, end: show(reduce(values[first:end]).item())


def _shown(view: ColumnView) -> Callable[[int | float], str] | None:
    """Return how a physical value is written; a double's -0.0 equals 0.0, and is shown as that."""
    kind, scale = view.type.kind, view.type.scale
    if kind in (Kind.INTEGER, Kind.BIGINT):
        return str
    if kind is Kind.DOUBLE:
        return lambda value: repr(value + 0.0)
    if kind is Kind.DATE:
        return lambda value: f'"{date_text(int(value))}"'
    if kind is Kind.TIMESTAMP:
        return lambda value: f'"{timestamp_text(int(value))}"'
    if kind is Kind.DECIMAL:
        return lambda value: decimal_text(int(value), scale)
    return None
