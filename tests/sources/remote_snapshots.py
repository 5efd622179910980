"""Snapshots in emulators of object stores, and in stores that are held in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from secrets import token_hex
from typing import Any

from dev.emulators.gcs import GcsEmulator
from dev.emulators.s3 import S3Emulator
from offloader.catalog.manifest import parse_manifest
from offloader.catalog.model import Dataset
from offloader.sources.snapshot import SPOOL_BYTES, Snapshot, open_snapshot
from offloader.stores.access import Access
from offloader.stores.location import Location, parse_url
from offloader.stores.open import Stores
from offloader.stores.store import ObjectStore
from tests.snapshots import manifest_document
from tests.sources.local_snapshots import Columns
from tests.stores.held_store import HeldStore

BUCKET = "snapshots"
Emulator = GcsEmulator | S3Emulator


class HeldStores(Stores):
    """Every location lies in one store in memory."""

    def __init__(self, store: ObjectStore) -> None:
        super().__init__(Access())
        self._store = store

    def at(self, _location: Location) -> ObjectStore:
        return self._store


def upload(emulator: Emulator, folder: Path) -> Location:
    """Upload a folder below a new prefix; return where a manifest beside its files would lie."""
    prefix, scheme = token_hex(8), "gs" if isinstance(emulator, GcsEmulator) else "s3"
    emulator.put_folder(BUCKET, prefix, folder)
    return parse_url(f"{scheme}://{BUCKET}/{prefix}/manifest.json")


def open_at(
    at: Location,
    document: Mapping[str, Any],
    stores: Stores,
    spool: Path,
    *,
    root: Path | None = None,
    spool_bytes: int = SPOOL_BYTES,
    on_download: Callable[[int], None] = lambda _: None,
) -> Snapshot:
    """Open the snapshot that `document` describes, for a contract of all its columns."""
    manifest = parse_manifest(json.dumps(document).encode(), at.name)
    return open_snapshot(
        manifest,
        at,
        Dataset("usage", manifest.columns),
        stores=stores,
        root=root,
        spool=spool,
        spool_bytes=spool_bytes,
        on_download=on_download,
    )


def held_files(
    contents: Mapping[str, bytes], columns: Columns, row_count: int = 1
) -> tuple[HeldStore, dict[str, Any]]:
    """Return a store of CSV files, each of as many rows, and the manifest's document."""
    store = HeldStore({f"p/{name}": content for name, content in contents.items()})
    entries = [
        {"path": name, "format": "csv", "row_count": row_count, "size_bytes": len(content)}
        for name, content in contents.items()
    ]
    return store, manifest_document("usage", columns, entries)
