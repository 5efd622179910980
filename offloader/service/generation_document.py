"""The document of a generation: which catalog and which parts of which snapshots it serves.

    {"documents": {…the project…},
     "snapshots": {"usage": {"snapshot": {…}, "parts": ["<columns part id>", "<path part id>", …]}}}

Reloader or main writes it, main adds `rows` (endpoint → row of the counters), workers read it.
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
from offloader.service.state import Snapshot, State

Document = dict[str, Any]


def part_ids(plan: PartPlan) -> list[str]:
    """Return the ids of a segment's parts, the columns part first."""
    return [plan.columns_id, *(part_id for _, part_id in plan.paths)]


def plan_parts(catalog: Catalog, dataset_id: str, manifest: Manifest) -> PartPlan:
    """Name the parts that serving a dataset from this snapshot needs."""
    dataset = catalog.datasets[dataset_id]
    return parts_of(dataset, catalog.endpoints_of(dataset_id), manifest)


def entry_of(catalog: Catalog, dataset_id: str, manifest: Manifest) -> Document:
    """Return one dataset's entry under `snapshots`."""
    parts = part_ids(plan_parts(catalog, dataset_id, manifest))
    return {"snapshot": asdict(Snapshot.of(manifest)), "parts": parts}


def cached_entries(cache: Cache, catalog: Catalog, state: State) -> dict[str, Document]:
    """Return the entries of the datasets whose active snapshot's parts all lie in the cache."""
    entries = {}
    for dataset_id in catalog.datasets:
        known = state.get(dataset_id)
        if known is None or known.active is None:
            continue
        manifest = kept_manifest(cache, dataset_id, known.active.manifest_digest)
        if manifest is None or check_schema(manifest, catalog.datasets[dataset_id]):
            continue
        entry = entry_of(catalog, dataset_id, manifest)
        if all(cache.part(dataset_id, part_id).exists() for part_id in entry["parts"]):
            entries[dataset_id] = entry
    return entries


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
