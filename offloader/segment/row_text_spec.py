"""Which row texts a segment gets, and under which ids their parts are stored. Pure.

Row texts are the JSON of every row, encoded when the segment is built. They hold the whole
allowlist of an endpoint, in the order of its most specific access path, so that what that path
finds is one slice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from offloader.catalog.model import Column, Dataset, Endpoint
from offloader.segment.layout import FORMAT_VERSION, digest_of

MAX_ROW_TEXTS_PER_DATASET = 2


@dataclass(frozen=True, slots=True, order=True)
class RowTextSpec:
    """(alias, column) of each JSON member, and the access path that orders the rows.

    `order` holds the path's columns; it is empty for base order.
    """

    columns: tuple[tuple[str, str], ...]
    order: tuple[str, ...]


def derive_row_texts(
    dataset: Dataset, endpoints: Iterable[Endpoint], paths: Sequence[tuple[str, ...]]
) -> tuple[RowTextSpec, ...]:
    """Return the row texts that serve `endpoints` of `dataset`, sorted.

    `paths` are the columns of the dataset's access paths. Endpoints whose rows are groups, or that
    read the snapshot's files, have none. Equal ones are shared. At most 2 are made, for the first
    endpoints by name.
    """
    found: dict[RowTextSpec, None] = {}
    for endpoint in sorted(endpoints, key=lambda one: one.name):
        if endpoint.serving_mode == "local_table" and not endpoint.is_aggregate:
            column_of = {item.alias: item.column for item in endpoint.select}
            members = tuple((alias, column_of[alias]) for alias in endpoint.columns)
            found[RowTextSpec(members, _order_of(dataset, endpoint, paths))] = None
    return tuple(sorted([*found][:MAX_ROW_TEXTS_PER_DATASET]))


def row_text_part_id(
    manifest_digest: str,
    columns: Sequence[Column],
    tenant_column: str | None,
    spec: RowTextSpec,
) -> str:
    """Return the id of a part of row texts; columns it neither shows nor sorts by do not count."""
    types = {column.name: str(column.type) for column in columns}
    tenant = None if tenant_column is None else [tenant_column, types[tenant_column]]
    return digest_of(
        {
            "format": FORMAT_VERSION,
            "part": "row_texts",
            "manifest": manifest_digest,
            "columns": [[alias, name, types[name]] for alias, name in spec.columns],
            "order": [[name, types[name]] for name in spec.order],
            "tenant_column": tenant,
        }
    )


def _order_of(
    dataset: Dataset, endpoint: Endpoint, paths: Sequence[tuple[str, ...]]
) -> tuple[str, ...]:
    """Return the path of which the endpoint can use the most columns; () when it can use none."""
    fixed = set() if dataset.tenant_column is None else {dataset.tenant_column}
    column_of = {item.alias: item.column for item in endpoint.select}
    equal = fixed | {item.column for item in endpoint.filters if item.op == "eq"}
    behind = {item.column for item in endpoint.filters if item.op not in ("eq", "ne")}
    behind |= {column_of[item.alias] for item in endpoint.order_by}
    best: tuple[str, ...] = ()
    most = 0
    for path in sorted(paths, key=lambda one: (len(one), one)):
        if not fixed or path[0] in fixed:
            used = _used(path, equal, behind)
            if used > most:
                best, most = path, used
    return best


def _used(path: tuple[str, ...], equal: set[str], behind: set[str]) -> int:
    """Count a path's leading columns that serve: equal ones, then ranges, lists and the order."""
    count = 0
    while count < len(path) and path[count] in equal:
        count += 1
    while count < len(path) and path[count] in behind:
        count += 1
    return count
