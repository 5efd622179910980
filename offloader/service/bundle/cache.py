"""The cache volume as it may be shown: names and sizes, states, and the manifests in use."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from offloader.catalog.manifest import MAX_MANIFEST_BYTES
from offloader.service.bundle.archive import Entry, entry_of
from offloader.service.cache import DIGEST, Cache
from offloader.service.instance import state_paths

MOST_LISTED = 20_000
MOST_FILES = 2_000
MOST_STATE_BYTES = 8 << 20
_SHUT = ("config", "downloads", "rebuilding")  # names in there are others': only their sizes
_PLAIN = (
    *("dataset_id", "snapshot_id", "created_at", "watermark", "partition_columns", "sort_columns"),
    *("row_count", "size_bytes", "producer", "upstream_run_id", "schema_version"),
    *("data_quality_status", "compatibility_policy"),
)
_OF_FILE = ("path", "format", "row_count", "size_bytes", "sha256", "crc32c", "md5", "xxh3_128")


def cache_entries(cache: Cache) -> Iterator[Entry]:
    """Yield the listing, the state files, and the manifests of active and previous snapshots.

    Raises OSError when the volume cannot be read.
    """
    yield entry_of("cache/listing.json", _listing(cache), "the cache volume: files and their sizes")
    in_use: set[tuple[str, str]] = set()
    for path in state_paths(cache).values():
        state = _state(path)
        in_use |= set(_in_use(state))
        about = "what an instance serves and has tried, without contracts"
        yield entry_of(f"cache/{path.name}", state, about)
    for dataset, digest in sorted(in_use):
        yield _manifest(cache, dataset, digest)


def _listing(cache: Cache) -> dict[str, Any]:
    files: list[dict[str, Any]] = []
    shut = {name: {"files": 0, "bytes": 0} for name in _SHUT}
    count = 0
    for path, found in _walk(cache.root):
        name = path.relative_to(cache.root)
        if name.parts[0] in shut:
            shut[name.parts[0]]["files"] += 1
            shut[name.parts[0]]["bytes"] += found.st_size
            continue
        count += 1
        if count <= MOST_LISTED:
            sizes = {"bytes": found.st_size, "modified_at": int(found.st_mtime)}
            files.append({"path": str(name), **sizes})
    return {"free_bytes": cache.free_bytes(), "count": count, "files": files, "folders": shut}


def _walk(root: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield the files below a folder, by name, with what is known of them; links as links."""
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            with suppress(OSError):  # it went meanwhile
                yield path, path.lstat()


def _state(path: Path) -> dict[str, Any]:
    """Return a state file's document; contracts stand under config/, and say who may call what."""
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(MOST_STATE_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        return {"unreadable": type(error).__name__}
    if not isinstance(document, dict):
        return {"unreadable": "it is no JSON object"}
    return {name: value for name, value in document.items() if name != "contracts"}


def _in_use(state: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    datasets = state.get("datasets")
    for name, known in datasets.items() if isinstance(datasets, dict) else ():
        for role in ("active", "previous"):
            snapshot = known.get(role) if isinstance(known, dict) else None
            digest = snapshot.get("manifest_digest") if isinstance(snapshot, dict) else None
            if isinstance(digest, str) and DIGEST.fullmatch(digest):
                yield name, digest


def _manifest(cache: Cache, dataset: str, digest: str) -> Entry:
    """Return a kept manifest: the fields of the contract, checksums among them."""
    try:
        with cache.manifest(dataset, digest).open("rb") as file:
            document = json.loads(file.read(MAX_MANIFEST_BYTES + 1))
        shown = _shown(document)
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        shown = {"unreadable": type(error).__name__}
    path = f"cache/manifests/{dataset}/{digest}.json"
    return entry_of(path, shown, f"a manifest that {dataset} is served from", has_checksums=True)


def _shown(document: Mapping[str, Any]) -> dict[str, Any]:
    files = document.get("files") or []
    columns = document.get("schema") or []
    return {
        **{name: document.get(name) for name in _PLAIN},
        "schema": [{name: one.get(name) for name in ("name", "type")} for one in columns],
        "files": [
            {name: one[name] for name in _OF_FILE if name in one} for one in files[:MOST_FILES]
        ],
        "files_left_out": max(0, len(files) - MOST_FILES),
        "fields_left_out": len(document.keys() - {*_PLAIN, "schema", "files"}),
    }
