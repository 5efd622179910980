"""Bad snapshots: how each is made, and the code it must be refused with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from dev.faults.project import COLUMNS, Source, snapshot_id, table, watermark
from tests.snapshots import file_entry, manifest_document, write_manifest, write_table

BAD = 2  # its number; the good ones before and after it are 1 and 3
_FOOTER_BYTES = 20
_LEFT_ROWS = 0.4


@dataclass(slots=True)
class Draft:
    """A snapshot that is written but not announced: one file, and its entry of the manifest."""

    source: Source
    path: Path
    entry: dict[str, Any]
    columns: tuple[tuple[str, str], ...] = COLUMNS
    snapshot_id: str = snapshot_id(BAD)
    watermark: str = watermark(BAD)

    def announce(self) -> None:
        """Write the manifest over what the entry says by now."""
        document = manifest_document(
            self.source.name,
            self.columns,
            [self.entry],
            snapshot_id=self.snapshot_id,
            watermark=self.watermark,
        )
        write_manifest(self.source.manifest_path, document)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table; `guards` are the dataset's. Refused for good under `code`."""

    name: str
    code: str
    publish: Callable[[Source], None]
    guards: Mapping[str, Any] = field(default_factory=dict)

    @property
    def dataset(self) -> str:
        """The dataset that the row is tried on: one for each code."""
        return self.code


def drafted(source: Source, content: pa.Table | None = None, **more: Any) -> Draft:
    """Write a snapshot's file, by default a good one's, where `publish_snapshot` puts it."""
    made = table(source.rows, BAD) if content is None else content
    folder = source.manifest_path.parent
    path = folder / snapshot_id(BAD) / "part-00000.parquet"
    path.parent.mkdir()
    write_table(made, path, "parquet")
    return Draft(source, path, file_entry(path, folder, "parquet", made.num_rows), **more)


def _half_written(source: Source) -> None:
    draft = drafted(source)
    _cut(draft.path, draft.path.stat().st_size // 2)
    draft.announce()


def _before_files(source: Source) -> None:
    draft = drafted(source)
    draft.path.unlink()
    draft.announce()


def _without_footer(source: Source) -> None:
    """The producer itself saw the cut file, and states its size and checksum."""
    draft = drafted(source)
    _cut(draft.path, draft.path.stat().st_size - _FOOTER_BYTES)
    folder = source.manifest_path.parent
    draft.entry = file_entry(draft.path, folder, "parquet", draft.entry["row_count"])
    draft.announce()


def _flipped(source: Source) -> None:
    draft = drafted(source)
    content = bytearray(draft.path.read_bytes())
    content[len(content) // 2] ^= 1
    draft.path.write_bytes(content)
    draft.announce()


def _miscounted(source: Source) -> None:
    draft = drafted(source)
    draft.entry["row_count"] += 1
    draft.announce()


def _empty(source: Source) -> None:
    drafted(source, table(0, BAD)).announce()


def _shrunk(source: Source) -> None:
    drafted(source, table(int(source.rows * _LEFT_ROWS), BAD)).announce()


def _narrowed(source: Source) -> None:
    content = table(source.rows, BAD)
    at = content.column_names.index("number")
    narrow = content.set_column(at, "number", content["number"].cast(pa.int32()))
    columns = tuple((n, "INTEGER" if n == "number" else kind) for n, kind in COLUMNS)
    drafted(source, narrow, columns=columns).announce()


def _without_column(source: Source) -> None:
    columns = tuple((name, kind) for name, kind in COLUMNS if name != "note")
    drafted(source, table(source.rows, BAD).drop_columns(["note"]), columns=columns).announce()


def _repeated(source: Source) -> None:
    content = table(source.rows - 1, BAD)
    drafted(source, pa.concat_tables([content, content.slice(0, 1)])).announce()


def _older(source: Source) -> None:
    drafted(source, watermark=watermark(0)).announce()


def _reused(source: Source) -> None:
    drafted(source, snapshot_id=snapshot_id(1)).announce()


ROWS = (
    Row("half-written file", "file_size_differs", _half_written),
    Row("manifest before files", "file_missing", _before_files),
    Row("truncated Parquet footer", "file_unreadable", _without_footer),
    Row("flipped byte", "file_checksum_differs", _flipped),
    Row("wrong row count", "file_row_count_differs", _miscounted),
    Row("no rows", "too_few_rows", _empty, {"min_rows": 1}),
    Row("60 percent fewer rows", "row_count_dropped", _shrunk, {"max_row_drop_percent": 50}),
    Row("narrowed type", "type_narrowed", _narrowed),
    Row("dropped column", "column_dropped", _without_column),
    Row("duplicate key", "duplicate_keys", _repeated, {"unique": ["id"]}),
    Row("older watermark", "watermark_older", _older),
    Row("same id, other content", "snapshot_id_reused", _reused),
)


def _cut(path: Path, size_bytes: int) -> None:
    with path.open("r+b") as file:
        file.truncate(size_bytes)
