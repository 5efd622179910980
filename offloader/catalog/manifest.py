"""The manifest: what a producer says it published, parsed and checked. Nothing here reads a file.

Every problem is reported at once. Unknown keys are ignored at the top level and in `schema`,
where every known key is required and so a mistyped one is noticed; in an entry of `files` they
are refused, because a mistyped checksum would silently never be compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import xxhash

from offloader.catalog.manifest_entries import (
    MAX_FILES,
    ManifestFile,
    path_trouble,
    read_columns,
    read_files,
)
from offloader.catalog.manifest_fields import ProblemList, Reader
from offloader.catalog.model import Column
from offloader.catalog.strict_json import canonical_json, parse_strict_json
from offloader.errors import Problem, SnapshotRefused

__all__ = [
    "MAX_FILES",
    "MAX_MANIFEST_BYTES",
    "Manifest",
    "ManifestFile",
    "ManifestInvalid",
    "manifest_document",
    "parse_manifest",
    "path_trouble",
]

MAX_MANIFEST_BYTES = 16 * 2**20
MAX_DEPTH = 32

QUALITIES = ("passed", "warning", "failed")
POLICIES = ("additive_only", "exact")


@dataclass(frozen=True, slots=True)
class Manifest:
    """One published snapshot.

    `created_at` and `watermark` are microseconds since 1970-01-01T00:00:00Z. `row_count` and
    `size_bytes` equal the sums over `files`. `digest` is the xxh3-128 hex digest of the canonical
    JSON of the whole document, so spaces and key order do not matter, unknown keys do.
    """

    dataset_id: str
    snapshot_id: str
    created_at: int
    watermark: int
    columns: tuple[Column, ...]
    files: tuple[ManifestFile, ...]
    partition_columns: tuple[str, ...]
    sort_columns: tuple[str, ...]
    row_count: int
    size_bytes: int
    producer: str
    upstream_run_id: str
    schema_version: str
    data_quality_status: str
    compatibility_policy: str
    digest: str


class ManifestInvalid(SnapshotRefused):
    """A manifest breaks its rules; `problems` holds all of them, sorted by place.

    The code is `quality_failed` when a failed quality check is all that is wrong, else
    `manifest_invalid`.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        whole = SnapshotRefused.of(problems)
        is_quality = [problem.code for problem in whole.problems] == ["quality_failed"]
        code = "quality_failed" if is_quality else "manifest_invalid"
        super().__init__(code, whole.message, whole.hint, whole.problems)


def parse_manifest(raw: bytes, file: str) -> Manifest:
    """Parse the bytes of a manifest; `file` is how problems name it.

    Raises ManifestInvalid with every problem found (at most 100, and how many more).
    """
    problems = ProblemList(file)
    document = _read_document(raw, problems)
    if not isinstance(document, dict):
        raise ManifestInvalid(problems.finish())
    manifest = _read_manifest(document, problems)
    found = problems.finish()
    if found:
        raise ManifestInvalid(found)
    return manifest


def manifest_document(
    *,
    dataset_id: str,
    snapshot_id: str,
    created_at: str,
    watermark: str,
    columns: Sequence[Column],
    files: Sequence[ManifestFile],
    producer: str,
    upstream_run_id: str,
    schema_version: str | int = 1,
    partition_columns: Sequence[str] = (),
    sort_columns: Sequence[str] = (),
    data_quality_status: str = "passed",
    compatibility_policy: str = "additive_only",
) -> dict[str, object]:
    """Return the JSON document of a manifest over `files`, its totals summed up.

    `created_at` and `watermark` are ISO 8601 texts with a zone.
    """
    return {
        "dataset_id": dataset_id,
        "snapshot_id": snapshot_id,
        "created_at": created_at,
        "watermark": watermark,
        "schema": [{"name": column.name, "type": str(column.type)} for column in columns],
        "files": [file.as_document() for file in files],
        "partition_columns": list(partition_columns),
        "sort_columns": list(sort_columns),
        "row_count": sum(file.row_count for file in files),
        "size_bytes": sum(file.size_bytes for file in files),
        "producer": producer,
        "upstream_run_id": upstream_run_id,
        "schema_version": schema_version,
        "data_quality_status": data_quality_status,
        "compatibility_policy": compatibility_policy,
    }


def _read_document(raw: bytes, problems: ProblemList) -> object:
    if len(raw) > MAX_MANIFEST_BYTES:
        hint = f"a manifest is at most {MAX_MANIFEST_BYTES} bytes: publish fewer, larger files"
        problems.add("", "manifest_too_large", f"it has {len(raw)} bytes", hint)
        return None
    try:
        document = parse_strict_json(raw, max_depth=MAX_DEPTH)
    except ValueError as error:
        hint = "write it with a JSON library, under another name, then rename it"
        problems.add("", "not_json", f"it is not strict JSON: {error}", hint)
        return None
    if not isinstance(document, dict):
        problems.add("", "wrong_type", "it must be a JSON object", "see docs/manifest.md")
    return document


def _read_manifest(document: Mapping[str, object], problems: ProblemList) -> Manifest:
    reader = Reader(document, "", problems)
    columns = read_columns(reader)
    files = read_files(reader)
    names = {column.name for column in columns}
    manifest = Manifest(
        dataset_id=reader.identifier("dataset_id"),
        snapshot_id=reader.snapshot_id("snapshot_id"),
        created_at=reader.moment("created_at"),
        watermark=reader.moment("watermark"),
        columns=columns,
        files=files,
        partition_columns=_known_columns(reader, "partition_columns", names),
        sort_columns=_known_columns(reader, "sort_columns", names),
        row_count=reader.count("row_count"),
        size_bytes=reader.count("size_bytes"),
        producer=reader.text("producer"),
        upstream_run_id=reader.text("upstream_run_id"),
        schema_version=reader.version("schema_version"),
        data_quality_status=reader.choice("data_quality_status", QUALITIES),
        compatibility_policy=reader.choice("compatibility_policy", POLICIES),
        digest=xxhash.xxh3_128_hexdigest(canonical_json(document)),
    )
    _check_totals(manifest, problems)
    _check_quality(manifest, problems)
    return manifest


def _known_columns(reader: Reader, key: str, known: set[str]) -> tuple[str, ...]:
    names = reader.names(key)
    for index, name in enumerate(names):
        if known and name not in known:
            hint = "name a column of `schema`, or leave it out of the list"
            reader.problem(f"{key}[{index}]", "unknown_column", "it is not in `schema`", hint)
    return names


def _check_totals(manifest: Manifest, problems: ProblemList) -> None:
    if problems.count:  # sums of broken entries would only repeat what is said already
        return
    for key, stated, summed in (
        ("row_count", manifest.row_count, sum(file.row_count for file in manifest.files)),
        ("size_bytes", manifest.size_bytes, sum(file.size_bytes for file in manifest.files)),
    ):
        if stated != summed:
            message = f"it says {stated}, the files add up to {summed}"
            problems.add(key, f"{key}_sum", message, f"make it the sum of `{key}` over `files`")


def _check_quality(manifest: Manifest, problems: ProblemList) -> None:
    if manifest.data_quality_status == "failed":
        hint = "repair the data and publish a new snapshot"
        message = "the producer's own quality checks failed"
        problems.add("data_quality_status", "quality_failed", message, hint)
