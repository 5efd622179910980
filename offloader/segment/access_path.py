"""Which sort orders a segment gets, and under which ids its parts are stored. Pure.

An access path is a list of columns. It answers equality on its leading columns with one binary
search, then a range on, or the order of, the columns behind. `path_choice` derives the paths from
the ways to call the endpoints.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from offloader.catalog.compatibility import served_columns
from offloader.catalog.manifest import Manifest
from offloader.catalog.model import Column, Dataset, Endpoint
from offloader.segment.layout import FORMAT_VERSION, digest_of
from offloader.segment.path_choice import PathSpec, choose_paths
from offloader.segment.remote_files import files_part_id
from offloader.segment.row_text_spec import RowTextSpec, derive_row_texts, row_text_part_id

__all__ = ["PartPlan", "PathSpec", "columns_part_id", "derive_paths", "parts_of", "path_part_id"]


@dataclass(frozen=True, slots=True)
class PartPlan:
    """The parts one segment consists of: the ids of columns, of each path, of each row text.

    `files_id` is that of the files part, which there is when an endpoint reads the snapshot's
    files. If all do, `is_remote_only`: the columns part holds no rows, and there are no others.
    """

    columns_id: str
    paths: tuple[tuple[PathSpec, str], ...]
    texts: tuple[tuple[RowTextSpec, str], ...] = ()
    files_id: str | None = None
    is_remote_only: bool = False

    @property
    def part_ids(self) -> list[str]:
        """Return the ids of all parts: columns first, then paths, then row texts, then files."""
        paths, texts = ([part_id for _, part_id in parts] for parts in (self.paths, self.texts))
        files = [] if self.files_id is None else [self.files_id]
        return [self.columns_id, *paths, *texts, *files]


def derive_paths(
    dataset: Dataset, endpoints: Iterable[Endpoint], row_count: int = 0
) -> tuple[PathSpec, ...]:
    """Return the access paths that serve `endpoints` of `dataset`, sorted by their columns.

    They are those of `choose_paths` that a dataset of `row_count` rows keeps. JSON columns are
    never in a path.
    """
    return tuple(one.spec for one in choose_paths(dataset, endpoints, row_count) if one.kept)


def columns_part_id(
    manifest_digest: str,
    columns: Sequence[Column],
    tenant_column: str | None,
    *,
    is_empty: bool = False,
) -> str:
    """Return the id of a columns part: xxh3-128 hex of what its bytes follow from.

    One that `is_empty` has the columns and no rows.
    """
    return digest_of(
        {
            "format": FORMAT_VERSION,
            "part": "columns without rows" if is_empty else "columns",
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
    endpoints = tuple(endpoints)
    are_remote = [endpoint.serving_mode == "remote_scan" for endpoint in endpoints]
    files_id = files_part_id(dataset, manifest.digest) if any(are_remote) else None
    if files_id is not None and all(are_remote):
        empty_id = columns_part_id(manifest.digest, columns, tenant, is_empty=True)
        return PartPlan(empty_id, (), (), files_id, is_remote_only=True)
    paths = derive_paths(dataset, endpoints, manifest.row_count)
    texts = derive_row_texts(dataset, endpoints, [path.columns for path in paths])
    return PartPlan(
        columns_part_id(manifest.digest, columns, tenant),
        tuple((p, path_part_id(manifest.digest, columns, tenant, p)) for p in paths),
        tuple((t, row_text_part_id(manifest.digest, columns, tenant, t)) for t in texts),
        files_id,
    )
