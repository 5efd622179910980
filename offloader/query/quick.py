"""Quick: the commonest request in one step, from a bound request to its body.

It is a look-up of rows that were encoded ahead, in the order in which they stand: the key's values
name one stretch of an access path, and that stretch is one slice of memory. Everything else goes
through locate, execute and encode, which give the same bytes for these requests as well.
"""

from __future__ import annotations

from dataclasses import dataclass

from offloader.query.cursor import asked_digest, write_cursor
from offloader.query.params import Bound
from offloader.query.plan import Plan
from offloader.query.quick_total import TotalLane, total_lane
from offloader.query.shape import Point, Range, shape_of
from offloader.segment.read import PathView, RowTexts

Pieces = tuple[bytes, memoryview, bytes]
# A longer body costs less as three buffers than as a copy.
WHOLE_BYTES = 16 * 1024


@dataclass(slots=True, eq=False)
class Lane:
    """What is ready for the requests of one shape.

    `points` are in the order of the path's columns; `bounds` is a range on the next one.
    """

    path: PathView
    texts: RowTexts
    points: tuple[Point, ...]
    bounds: Range | None


def answer_quickly(
    plan: Plan, bound: Bound, tenant: str | None, *, stale: bool
) -> tuple[bytes | Pieces, int] | None:
    """Return the JSON body and how many rows were read; None when the request is another one.

    A large body stays in pieces, its rows where they lie in shared memory.
    """
    try:
        lane = plan.lanes[bound.names]
    except KeyError:
        lane = _lane_of(plan, bound)
    if lane is None or bound.columns is not plan.endpoint.columns:
        return None
    if isinstance(lane, TotalLane):
        return lane.answer(plan, bound, tenant, stale=stale)
    first, end = _span(lane, bound, tenant)
    limit, offset = bound.limit, bound.offset
    first += offset
    last = min(first + limit, end)
    count = max(0, last - first)
    rows = lane.texts.slice_of(first, last)
    if last >= end:
        tail = plan.envelope.end(count, limit, offset, stale=stale)
        return _body(rows, tail), count
    asked = asked_digest(bound.values, bound.columns, tenant)
    meta = plan.envelope.meta(
        row_count=count,
        limit=limit,
        offset=offset,
        next_offset=offset + limit,
        next_cursor=write_cursor(plan.envelope.cursor_head, asked, offset + limit),
        stale=stale,
    )
    return _body(rows, f'],"meta":{meta}}}'.encode()), count


def _body(rows: memoryview, tail: bytes) -> bytes | Pieces:
    pieces = (b'{"data":[', rows, tail)
    return pieces if len(rows) > WHOLE_BYTES else b"".join(pieces)


def _span(lane: Lane, bound: Bound, tenant: str | None) -> tuple[int, int]:
    """Return the positions of all rows that match, (0, 0) for none."""
    values = bound.values
    prefix = [point.find(values[point.param] if point.param else tenant) for point in lane.points]
    if None in prefix:
        return 0, 0
    if lane.bounds is None:
        return lane.path.find(prefix)  # type: ignore[arg-type]
    interval = lane.bounds.interval(values)
    if interval.is_empty:
        return 0, 0
    return lane.path.find(prefix, interval.low, interval.high)  # type: ignore[arg-type]


def _lane_of(plan: Plan, bound: Bound) -> Lane | TotalLane | None:
    """Find out, once a shape, whether its requests can be answered so."""
    lane: Lane | TotalLane | None = None
    shape = shape_of(plan, bound.names)
    if shape is not None and plan.is_aggregate:
        lane = total_lane(plan, shape)
    elif shape is not None and plan.texts is not None and len(shape.candidates) == 1:
        candidate, path = shape.candidates[0], shape.candidates[0].path
        is_loose = bool(candidate.loose_points or candidate.loose_ranges)
        if path is not None and candidate.ordering.is_met and not is_loose:
            is_in_place = plan.texts.order == path.columns and not candidate.is_base
            is_in_base_order = plan.texts.places is None and candidate.is_base
            if is_in_place or is_in_base_order:
                points = tuple(shape.points[number] for number in candidate.points)
                bounds = shape.ranges[0] if candidate.bounds >= 0 else None
                lane = Lane(path, plan.texts, points, bounds)
    if bound.names in plan.shapes:  # bounded there
        plan.lanes[bound.names] = lane
    return lane
