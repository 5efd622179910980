"""The document of a generation: which catalog and which parts of which snapshots it serves.

    {"documents": {…what is served…},
     "desired": {…what the config says, where that is something else…} or null,
     "snapshots": {"usage": {"snapshot": {…}, "parts": ["<columns part id>", …], "copy": 0}},
     "kept": {"usage": ["<part id>", …]}}

Reloader or main writes it. `kept` are the parts of previous snapshots, which stay in memory while
there is room. Main adds `rows` (endpoint → row of the counters) and `memory` (where each segment
lies); workers read it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from offloader.catalog.compatibility import check_schema
from offloader.catalog.manifest import Manifest, parse_manifest
from offloader.catalog.model import Catalog
from offloader.errors import SnapshotError
from offloader.segment.access_path import PartPlan, parts_of
from offloader.service.cache import Cache
from offloader.service.state import Snapshot

Document = dict[str, Any]


def part_keys(entry: Mapping[str, Any]) -> list[str]:
    """Return the names of an entry's parts in memory: a rebuilt one lies there under its own."""
    copy = entry.get("copy", 0)
    return [f"{part_id}.{copy}" if copy else part_id for part_id in entry["parts"]]


def plan_parts(catalog: Catalog, dataset_id: str, manifest: Manifest) -> PartPlan:
    """Name the parts that serving a dataset from this snapshot needs."""
    dataset = catalog.datasets[dataset_id]
    return parts_of(dataset, catalog.endpoints_of(dataset_id), manifest)


def entry_of(catalog: Catalog, dataset_id: str, manifest: Manifest, copy: int = 0) -> Document:
    """Return one dataset's entry under `snapshots`; `copy` counts its rebuilds."""
    parts = plan_parts(catalog, dataset_id, manifest).part_ids
    return {"snapshot": asdict(Snapshot.of(manifest)), "parts": parts, "copy": copy}


def ready_entry(
    cache: Cache, catalog: Catalog, dataset_id: str, snapshot: Snapshot, copy: int = 0
) -> Document | None:
    """Return the entry of a snapshot that can be served under a catalog without any build."""
    dataset = catalog.datasets.get(dataset_id)
    manifest = kept_manifest(cache, dataset_id, snapshot.manifest_digest)
    if dataset is None or manifest is None or check_schema(manifest, dataset):
        return None
    entry = entry_of(catalog, dataset_id, manifest, copy)
    is_there = all(cache.part(dataset_id, part_id).exists() for part_id in entry["parts"])
    return entry if is_there else None


def kept_manifest(cache: Cache, dataset_id: str, digest: str) -> Manifest | None:
    """Return a manifest from the cache, None when it is not there or not what it was."""
    try:
        raw = cache.manifest(dataset_id, digest).read_bytes()
        manifest = parse_manifest(raw, "manifest")
    except (OSError, SnapshotError):
        return None
    return manifest if manifest.digest == digest else None


def encode(document: Mapping[str, object]) -> bytes:
    """Return the bytes a generation's document travels as."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
