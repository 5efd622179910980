"""The files part: where a snapshot's files lie, for endpoints that read them at each request.

One buffer, `files`, of canonical JSON: a list of `{"location", "format", "version", "size_bytes",
"row_count"}` in the order of the manifest. The descriptor has the snapshot's facts and the
manifest's columns. A version is what the store called the bytes that were checked at the build;
reads of another one fail. A location may be an HTTPS URL with a signature in its query: a part
of this kind stays on the host that made it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from offloader.catalog.model import Column, Dataset
from offloader.catalog.types import parse_type
from offloader.segment.facts import SnapshotFacts
from offloader.segment.layout import FORMAT_VERSION, canonical_json, digest_of
from offloader.segment.part_writer import PartWriter


@dataclass(frozen=True, slots=True)
class PinnedFile:
    """One file of a snapshot: `location` is an absolute path or a URL, `version` the store's."""

    location: str
    format: str
    version: str
    size_bytes: int
    row_count: int


@dataclass(frozen=True, slots=True)
class RemoteFiles:
    """All files of a snapshot, in the manifest's order; `columns` are all of the manifest's."""

    columns: tuple[Column, ...]
    files: tuple[PinnedFile, ...]

    @property
    def row_count(self) -> int:
        """The rows of all files together."""
        return sum(file.row_count for file in self.files)

    @property
    def size_bytes(self) -> int:
        """The bytes of all files together."""
        return sum(file.size_bytes for file in self.files)


def files_part_id(dataset: Dataset, manifest_digest: str) -> str:
    """Return the id of a files part; equal manifests at two places have two."""
    source = dataset.source
    return digest_of(
        {
            "format": FORMAT_VERSION,
            "part": "files",
            "manifest": manifest_digest,
            "place": dataset.manifest if source is None else [source.bucket, source.prefix],
        }
    )


def write_files(
    path: Path, facts: SnapshotFacts, columns: Sequence[Column], files: Iterable[PinnedFile]
) -> int:
    """Write the files part and return its size in bytes; `columns` are all of the manifest's.

    Raises OSError.
    """
    listed = canonical_json([asdict(file) for file in files])
    descriptor = {
        "kind": "files",
        **asdict(facts),
        "columns": [[column.name, str(column.type)] for column in columns],
    }
    with PartWriter(path) as part:
        part.add("files", np.frombuffer(listed, np.uint8))
        return part.finish(descriptor)


def open_files(head: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> RemoteFiles:
    """Return what a files part holds; raises KeyError, TypeError, ValueError when it is none."""
    listed = json.loads(arrays["files"].tobytes())
    return RemoteFiles(
        tuple(Column(name, parse_type(text)) for name, text in head["columns"]),
        tuple(PinnedFile(**entry) for entry in listed),
    )
