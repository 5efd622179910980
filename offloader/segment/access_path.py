"""Which sort orders a segment gets, and under which ids its parts are stored. Pure.

An access path is a list of columns. It answers equality on its leading columns with one binary
search, then a range on, or the order of, the next column. Paths are derived from the endpoints:
for each way an endpoint can bind its equality filters there is one path, tenant first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice

from offloader.catalog.compatibility import served_columns
from offloader.catalog.manifest import Manifest
from offloader.catalog.model import Column, Dataset, Endpoint, Filter
from offloader.catalog.types import Kind
from offloader.segment.layout import FORMAT_VERSION, digest_of

MAX_WAYS_PER_ENDPOINT = 8
_RANGE_OPS = frozenset({"gt", "gte", "lt", "lte", "prefix"})


@dataclass(frozen=True, slots=True, order=True)
class PathSpec:
    """The columns an access path sorts by, all ascending with nulls last."""

    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PartPlan:
    """The parts one segment consists of: the id of the columns part, then each path's id."""

    columns_id: str
    paths: tuple[tuple[PathSpec, str], ...]


def derive_paths(dataset: Dataset, endpoints: Iterable[Endpoint]) -> tuple[PathSpec, ...]:
    """Return the access paths that serve `endpoints` of `dataset`, sorted by their columns.

    At most 8 per endpoint; duplicates and prefixes of other paths are dropped; a dataset with a
    tenant column always has a path that begins with it. JSON columns are never in a path.
    """
    wanted: set[tuple[str, ...]] = set()
    if dataset.tenant_column is not None:
        wanted.add((dataset.tenant_column,))
    for endpoint in endpoints:
        if endpoint.serving_mode == "local_table":
            wanted.update(_paths_of(dataset, endpoint))
    wanted.discard(())
    return tuple(PathSpec(path) for path in sorted(wanted) if not _is_covered(path, wanted))


def columns_part_id(
    manifest_digest: str, columns: Sequence[Column], tenant_column: str | None
) -> str:
    """Return the id of a columns part: xxh3-128 hex of what its bytes follow from."""
    return digest_of(
        {
            "format": FORMAT_VERSION,
            "part": "columns",
            "manifest": manifest_digest,
            "columns": [[c.name, str(c.type)] for c in columns],
            "tenant_column": tenant_column,
        }
    )


def path_part_id(
    manifest_digest: str, columns: Sequence[Column], tenant_column: str | None, spec: PathSpec
) -> str:
    """Return the id of a path part; a change to columns it does not sort by leaves it as it is."""
    types = {c.name: str(c.type) for c in columns}
    tenant = None if tenant_column is None else [tenant_column, types[tenant_column]]
    return digest_of(
        {
            "format": FORMAT_VERSION,
            "part": "path",
            "manifest": manifest_digest,
            "columns": [[name, types[name]] for name in spec.columns],
            "tenant_column": tenant,
        }
    )


def parts_of(dataset: Dataset, endpoints: Iterable[Endpoint], manifest: Manifest) -> PartPlan:
    """Name every part that serving `endpoints` of `dataset` from this snapshot needs.

    The manifest's schema fits the contract (`check_schema` found nothing).
    """
    columns = served_columns(manifest, dataset)
    tenant = dataset.tenant_column
    paths = derive_paths(dataset, endpoints)
    return PartPlan(
        columns_part_id(manifest.digest, columns, tenant),
        tuple((p, path_part_id(manifest.digest, columns, tenant, p)) for p in paths),
    )


def _paths_of(dataset: Dataset, endpoint: Endpoint) -> Iterator[tuple[str, ...]]:
    fixed = () if dataset.tenant_column is None else (dataset.tenant_column,)
    for bound in _ways(endpoint):
        active = [f for f in endpoint.filters if f.param in bound and _sortable(dataset, f.column)]
        equal = dict.fromkeys((*fixed, *(f.column for f in active if f.op == "eq")))
        yield (*equal, *_next_column(dataset, endpoint, active, frozenset(equal)))


def _ways(endpoint: Endpoint) -> Iterator[frozenset[str]]:
    """Yield sets of bound params, one per way to bind the equality filters, few params first.

    A range or list param counts as bound wherever a caller may send it along.
    """
    always = {p.name for p in endpoint.params if p.default is not None}
    if endpoint.combinations:
        few_first = sorted(endpoint.combinations, key=lambda names: (len(names), sorted(names)))
        ways: Iterable[Iterable[str]] = few_first
        other: set[str] = set()
    else:
        always |= {p.name for p in endpoint.params if p.required}
        equal = dict.fromkeys(f.param for f in endpoint.filters if f.op == "eq")
        optional = [name for name in equal if name not in always]
        sizes = range(len(optional) + 1)
        ways = (chosen for size in sizes for chosen in combinations(optional, size))
        other = {f.param for f in endpoint.filters} - set(equal)
    for chosen in islice(ways, MAX_WAYS_PER_ENDPOINT):
        yield frozenset({*always, *chosen, *other})


def _next_column(
    dataset: Dataset, endpoint: Endpoint, active: Sequence[Filter], equal: frozenset[str]
) -> tuple[str, ...]:
    """Return the column behind the equal ones: first a range's, then a list's, then the order's."""
    candidates = [f.column for f in active if f.op in _RANGE_OPS]
    candidates += [f.column for f in active if f.op == "in"]
    if not endpoint.is_aggregate and endpoint.order_by:
        column_of = {item.alias: item.column for item in endpoint.select}
        candidates.append(column_of[endpoint.order_by[0].alias])
    free = (c for c in candidates if c not in equal and _sortable(dataset, c))
    return tuple(islice(free, 1))


def _sortable(dataset: Dataset, name: str) -> bool:
    return dataset.column(name).type.kind is not Kind.JSON


def _is_covered(path: tuple[str, ...], wanted: set[tuple[str, ...]]) -> bool:
    return any(len(o) > len(path) and o[: len(path)] == path for o in wanted)
