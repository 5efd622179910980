"""Choose the access paths of a dataset: as few as serve every way to call it, within a budget.

For each endpoint, every way to call it asks for its equal columns first, in any order, then for
the following ones in theirs. Ways share a path where one order serves them: {a, b} and {b} are
both served by (b, a). Rules and numbers are in docs/queries.md. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from offloader.catalog.model import Dataset, Endpoint
from offloader.segment.path_ways import Way, ways_of

ROW_BYTES = 12  # of a path: a row number, and a key where keys are distinct
FREE_BYTES = 64 << 20
LEAST_PATHS, MOST_PATHS = 6, 16
_SERVED = 8

Columns = tuple[str, ...]


@dataclass(frozen=True, slots=True, order=True)
class PathSpec:
    """The columns an access path sorts by, all ascending with nulls last."""

    columns: Columns


@dataclass(frozen=True, slots=True)
class PathChoice:
    """A path that `wanted_by` endpoints would use; `reason` says why it is kept or is not."""

    spec: PathSpec
    wanted_by: tuple[str, ...]
    kept: bool
    reason: str


def choose_paths(
    dataset: Dataset, endpoints: Iterable[Endpoint], row_count: int = 0
) -> tuple[PathChoice, ...]:
    """Return every path that would serve `endpoints` of `dataset`, sorted by its columns.

    A dataset of `row_count` rows keeps `path_limit` of them, and at least one of each endpoint. A
    dataset with a tenant column always has a path, and each begins with it.
    """
    ways = [ways_of(dataset, one) for one in sorted(endpoints, key=lambda one: one.name)]
    every_way = [way for of_one in ways for way in of_one]
    paths = _without_spare({path for of_one in ways for path in _fitted_paths(of_one)}, every_way)
    if not paths and dataset.tenant_column is not None:
        paths = [(dataset.tenant_column,)]
    limit = path_limit(row_count)
    reasons = dict.fromkeys(paths, f"there is room for all {len(paths)} paths")
    if len(paths) > limit:
        reasons = _most_useful(paths, ways, limit, row_count)
    dropped = f"{row_count:,} rows keep {limit} paths, and this one helps least"
    return tuple(
        PathChoice(
            PathSpec(path),
            tuple(dict.fromkeys(w.endpoint for w in every_way if usefulness(path, w) == _SERVED)),
            path in reasons,
            reasons.get(path, dropped),
        )
        for path in sorted(paths)
    )


def path_limit(row_count: int) -> int:
    """Return how many paths a dataset keeps: 6, or up to 16 while they fit 64 MiB together."""
    return min(MOST_PATHS, max(LEAST_PATHS, FREE_BYTES // (ROW_BYTES * max(row_count, 1))))


def path_for(way: Way, paths: Iterable[PathSpec]) -> PathSpec | None:
    """Return the path that serves a way best; None when each is of no use to it."""
    best = min(paths, key=lambda p: (-usefulness(p.columns, way), p), default=None)
    return best if best is not None and usefulness(best.columns, way) else None


def usefulness(path: Columns, way: Way) -> int:
    """Return how far a path serves a way: 8 entirely, from 4 all that is equal, 0 not at all."""
    length = len(way.equal)
    if set(path[:length]) != set(way.equal):
        led = next((n for n, name in enumerate(path) if name not in way.equal), len(path))
        return 3 * led // length
    following = path[length : length + len(way.following)]
    if following == way.following:
        return _SERVED if length or following else 0
    return (4 if length else 0) + (2 if following[:1] == way.following[:1] else 0)


def _fitted_paths(ways: Iterable[Way]) -> list[Columns]:
    """Return few paths that serve all ways, long ones first, so that short ones fit into them."""
    long_first = sorted(ways, key=lambda w: (-len(w.equal + w.following), -len(w.equal)))
    orders: list[list[Columns]] = []
    for way in long_first:
        fitted = ((place, _fitted(order, way)) for place, order in enumerate(orders))
        place, found = next(((p, f) for p, f in fitted if f is not None), (len(orders), None))
        new = [way.equal, *((name,) for name in way.following)]
        orders[place : place + 1] = [found or [block for block in new if block]]
    return [tuple(name for block in order for name in block) for order in orders if order]


def _fitted(order: Sequence[Columns], way: Way) -> list[Columns] | None:
    """Return a path so that it serves a way too; None when it cannot.

    An order is a list of blocks, and the columns inside a block may still come in any order.
    """
    rest, done = list(order), []
    for wanted in (way.equal, *((name,) for name in way.following)):
        missing = set(wanted)
        while missing:
            block = rest.pop(0) if rest else ()
            inside = tuple(name for name in block if name in missing)
            missing.difference_update(inside)
            outside = tuple(name for name in block if name not in inside)
            if not inside or (outside and missing):
                return None
            done.append(inside)
            if outside:
                rest.insert(0, outside)
    return [*done, *rest]


def _without_spare(paths: Collection[Columns], ways: Iterable[Way]) -> list[Columns]:
    """Leave out the paths whose ways others serve as well, short ones first."""
    asked = {(frozenset(way.equal), way.following): way for way in ways}.values()
    servers = [{path for path in paths if usefulness(path, way) == _SERVED} for way in asked]
    kept = sorted(paths, key=lambda path: (len(path), path))
    for path in tuple(kept):
        if all(len(serving) > 1 for serving in servers if path in serving):
            kept.remove(path)
            for serving in servers:
                serving.discard(path)
    return kept


def _most_useful(
    paths: Sequence[Columns], ways: Sequence[Sequence[Way]], limit: int, row_count: int
) -> dict[Columns, str]:
    """Return the paths to keep, with the reason: each endpoint's best, then what helps most."""
    helps = {path: [[usefulness(path, w) for w in of_one] for of_one in ways] for path in paths}
    reasons: dict[Columns, str] = {}
    for place, of_one in enumerate(ways):
        best = min(paths, key=lambda p: (-sum(helps[p][place]), len(p), p))
        if sum(helps[best][place]):
            reasons.setdefault(best, f"the most useful one to {of_one[0].endpoint}")
    flat = {path: [*chain.from_iterable(found)] for path, found in helps.items()}
    served = [max(scores) for scores in zip(*(flat[path] for path in reasons), strict=True)]
    while len(reasons) < limit:
        left = [path for path in paths if path not in reasons]
        best = min(left, key=lambda p: (-_gain(flat[p], served), len(p), p))
        reasons[best] = f"one of the {limit} paths that {row_count:,} rows keep"
        served = [*map(max, served, flat[best])]
    return reasons


def _gain(helps: Sequence[int], served: Sequence[int]) -> int:
    return sum(new - now for new, now in zip(helps, served, strict=True) if new > now)
