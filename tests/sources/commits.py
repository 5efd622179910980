"""Folders as Databricks jobs leave them, made by code."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pa_parquet

from offloader.stores.local import LocalStore

BEGAN = 1_790_000_000  # 2026-09-21T14:13:20Z


def part_name(tid: str, number: int = 0) -> str:
    """Return the name of a file that a task of a job writes."""
    job = "b57dcd81-2220-4e41-a35c-bcba3d1b3138"
    return f"part-{number:05d}-tid-{tid}-{job}-{number + 7}-1-c000.snappy.parquet"


def marker_text(added: Sequence[str], removed: Sequence[str] = ()) -> str:
    """Return what stands in a commit marker."""
    return json.dumps({"added": list(added), "removed": list(removed)}, separators=(",", ":"))


def parquet_bytes(columns: Mapping[str, object] | pa.Table) -> bytes:
    """Return a Parquet file of columns."""
    table = columns if isinstance(columns, pa.Table) else pa.table(dict(columns))
    file = io.BytesIO()
    pa_parquet.write_table(table, file, compression="snappy")
    return file.getvalue()


@dataclass
class CommitFolder:
    """A folder in a store of its own; each write is `seconds` after BEGAN by the store's clock."""

    root: Path
    prefix: str = "export/usage"

    @property
    def store(self) -> LocalStore:
        """The store."""
        return LocalStore(str(self.root))

    def write(self, name: str, content: bytes | str, seconds: float = 0) -> None:
        """Write a file as it is."""
        path = self.root / self.prefix / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        moment = round((BEGAN + seconds) * 1_000_000_000)
        os.utime(path, ns=(moment, moment))

    def start(self, tid: str, seconds: float = 0) -> None:
        """Write the marker of a job that begins."""
        self.write(f"_started_{tid}", "", seconds)

    def commit(
        self, tid: str, seconds: float, added: Sequence[str], removed: Sequence[str] = ()
    ) -> None:
        """Write the marker of a job that commits; its files are not looked at."""
        self.start(tid, seconds - 1)
        self.write(f"_committed_{tid}", marker_text(added, removed), seconds)

    def publish(self, tid: str, seconds: float, *parts: Mapping[str, object] | pa.Table) -> None:
        """Write files and then the marker that adds them, as a job does."""
        names = [part_name(tid, number) for number in range(len(parts))]
        for name, columns in zip(names, parts, strict=True):
            self.write(name, parquet_bytes(columns), seconds - 1)
        self.commit(tid, seconds, names)
        self.write("_SUCCESS", "", seconds)

    def remove(self, name: str) -> None:
        """Remove a file, as a clean-up does."""
        (self.root / self.prefix / name).unlink()
