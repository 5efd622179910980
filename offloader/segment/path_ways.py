"""The ways to call an endpoint, and the sort order that would answer each of them best. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, combinations, islice, takewhile

from offloader.catalog.model import Dataset, Endpoint
from offloader.catalog.types import Kind

MAX_WAYS_PER_ENDPOINT = 32
_EQUAL_OPS = frozenset({"eq", "in"})
_RANGE_OPS = frozenset({"gt", "gte", "lt", "lte", "prefix"})


@dataclass(frozen=True, slots=True)
class Way:
    """One way to call an endpoint: `params` are sent or have a default, in the contract's order.

    `equal` columns hold one value, or one of a list: the tenant's first, those with a list last.
    `following` is what a path should sort by behind them: a range's column, or the order's, or the
    groups'. `is_scan` tells that no sort order helps: every row must be read.
    """

    endpoint: str
    params: tuple[str, ...]
    equal: tuple[str, ...]
    following: tuple[str, ...]
    is_scan: bool


def ways_of(dataset: Dataset, endpoint: Endpoint) -> tuple[Way, ...]:
    """Return the ways to call an endpoint, few parameters first; at most 32.

    Only parameters that a sort order can serve tell ways apart. An endpoint that reads the
    snapshot's files has none.
    """
    if endpoint.serving_mode != "local_table":
        return ()
    bound = islice(_bound_params(endpoint), MAX_WAYS_PER_ENDPOINT)
    return tuple(dict.fromkeys(_way(dataset, endpoint, params) for params in bound))


def _bound_params(endpoint: Endpoint) -> Iterator[frozenset[str]]:
    always = {param.name for param in endpoint.params if param.default is not None}
    if endpoint.combinations:
        few_first = sorted(endpoint.combinations, key=lambda names: (len(names), sorted(names)))
        yield from (frozenset(always | names) for names in few_first)
        return
    always |= {param.name for param in endpoint.params if param.required}
    equal = dict.fromkeys(f.param for f in endpoint.filters if f.op in _EQUAL_OPS)
    ranges = _optional_ranges(endpoint, always | equal.keys())
    for looked_up in _subsets([name for name in equal if name not in always]):
        for ranged in (*ranges[:1], (), *ranges[1:]):
            yield frozenset({*always, *looked_up, *ranged})


def _optional_ranges(endpoint: Endpoint, bound: set[str]) -> list[tuple[str, ...]]:
    """Return the params of each column's range, for columns that no bound param has a range on."""
    params: dict[str, dict[str, None]] = {}
    for item in endpoint.filters:
        if item.op in _RANGE_OPS:
            params.setdefault(item.column, {})[item.param] = None
    return [tuple(names) for names in params.values() if not names.keys() & bound]


def _subsets(names: Iterable[str]) -> Iterator[tuple[str, ...]]:
    names = tuple(names)
    return chain.from_iterable(combinations(names, size) for size in range(len(names) + 1))


def _way(dataset: Dataset, endpoint: Endpoint, bound: frozenset[str]) -> Way:
    active = [f for f in endpoint.filters if f.param in bound and _is_sortable(dataset, f.column)]
    fixed = () if dataset.tenant_column is None else (dataset.tenant_column,)
    equal = dict.fromkeys(
        (*fixed, *(f.column for op in ("eq", "in") for f in active if f.op == op))
    )
    ranges = [f.column for f in active if f.op in _RANGE_OPS and f.column not in equal]
    following = _following(dataset, endpoint, tuple(equal), ranges[:1])
    excludes = (f.param for f in endpoint.filters if f.op == "ne")
    checks_rows = any(name in bound or not endpoint.combinations for name in excludes)
    return Way(
        endpoint=endpoint.name,
        params=tuple(param.name for param in endpoint.params if param.name in bound),
        equal=tuple(equal),
        following=following,
        is_scan=not equal and not ranges and (endpoint.is_aggregate or checks_rows),
    )


def _following(
    dataset: Dataset, endpoint: Endpoint, equal: tuple[str, ...], ranged: list[str]
) -> tuple[str, ...]:
    """Return what comes behind the equal columns: a range first, then what goes on from there."""
    run = _run(dataset, endpoint, equal)
    if not ranged or run[:1] == (*ranged,):
        return run
    if endpoint.is_aggregate and ranged[0] in run:
        return (*ranged, *(name for name in run if name not in ranged))
    return tuple(ranged)


def _run(dataset: Dataset, endpoint: Endpoint, equal: tuple[str, ...]) -> tuple[str, ...]:
    """Return the columns that put rows in the wanted order, or the rows of a group side by side.

    An order is followed as long as its direction stays: a path is walked one way. Groups of the
    whole table are not worth a path, for it would be read in no order.
    """
    column_of = {item.alias: item.column for item in endpoint.select}
    if endpoint.is_aggregate:
        wanted = [column_of[alias] for alias in endpoint.group_by] if equal else []
    else:
        order = [o for o in endpoint.order_by if column_of[o.alias] not in equal]
        one_way = takewhile(lambda o: o.descending == order[0].descending, order)
        wanted = [column_of[o.alias] for o in one_way]
    sortable = takewhile(lambda name: _is_sortable(dataset, name), wanted)
    return tuple(name for name in dict.fromkeys(sortable) if name not in equal)


def _is_sortable(dataset: Dataset, name: str) -> bool:
    return dataset.column(name).type.kind is not Kind.JSON
