"""A small public project with built parts: what main loads, without a reloader or a builder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from offloader.catalog.documents import load_catalog
from offloader.catalog.manifest import Manifest, parse_manifest
from offloader.segment.build import build_segment, targets_of
from offloader.segment.facts import SnapshotFacts
from offloader.service.cache import Cache
from offloader.service.composition import contracts_of
from offloader.service.generation_document import Document, entry_of, plan_parts
from offloader.service.project import Project
from offloader.service.state import DatasetState, Saved, Snapshot, load_state, save_state
from tests.projects import write_project
from tests.snapshots import publish_snapshot
from tests.sources.opening import open_local

COLUMNS = (("name", "VARCHAR"), ("calls", "BIGINT"), ("extra", "JSON"))


@dataclass(frozen=True, slots=True)
class Loaded:
    """A written project and its cache."""

    project: Project
    cache: Cache

    def publish(self, dataset: str, snapshot_id: str, rows: int) -> Document:
        """Publish a snapshot, build its parts, make it active; return its entry."""
        manifest_path = self.project.root / dataset / "manifest.json"
        table = pa.table(
            {
                "name": [f"n{number % 5}" if number % 7 else None for number in range(rows)],
                "calls": [number if number % 3 else None for number in range(rows)],
                "extra": [f'{{"row":{number}}}' for number in range(rows)],
            },
            schema=pa.schema(
                [("name", pa.string()), ("calls", pa.int64()), ("extra", pa.string())]
            ),
        )
        publish_snapshot(
            manifest_path, table, dataset_id=dataset, columns=COLUMNS, snapshot_id=snapshot_id
        )
        raw = manifest_path.read_bytes()
        manifest = parse_manifest(raw, "manifest.json")
        self.cache.keep_manifest(dataset, manifest.digest, raw)
        self._build(dataset, manifest, manifest_path)
        active = DatasetState(active=Snapshot.of(manifest))
        saved = load_state(self.cache.state)
        datasets = {**saved.datasets, dataset: active}
        save_state(self.cache.state, Saved(datasets, contracts_of(self.project.documents)))
        return entry_of(self.project.catalog, dataset, manifest)

    def document(self, **entries: Document) -> Document:
        """Return the document of a generation that serves these entries."""
        return {"documents": self.project.documents, "snapshots": entries}

    def paths(self, dataset: str, entry: Mapping[str, Any]) -> list[Path]:
        """Return the files of an entry's parts, the columns part first."""
        return [self.cache.part(dataset, part_id) for part_id in entry["parts"]]

    def size_bytes(self, dataset: str, entry: Mapping[str, Any]) -> int:
        """Return the bytes of an entry's parts."""
        return sum(path.stat().st_size for path in self.paths(dataset, entry))

    def _build(self, dataset_id: str, manifest: Manifest, manifest_path: Path) -> None:
        catalog, cache = self.project.catalog, self.cache
        dataset = catalog.datasets[dataset_id]
        plan = plan_parts(catalog, dataset_id, manifest)
        targets = targets_of(plan, lambda part_id: cache.part(dataset_id, part_id))
        times = (manifest.watermark, manifest.created_at)
        facts = SnapshotFacts(dataset_id, manifest.snapshot_id, manifest.digest, *times)
        found = open_local(manifest, manifest_path, dataset, root=self.project.root, threads=1)
        build_segment(found.tables(), found.columns, None, targets, facts)


def loaded(root: Path, datasets: Sequence[str] = ("alpha",)) -> Loaded:
    """Write a project of these datasets below `root`, with an empty cache."""
    write_project(
        root / "project",
        datasets={name: _dataset(name) for name in datasets},
        endpoints={f"{name}_rows": _endpoint(name) for name in datasets},
    )
    catalog, documents = load_catalog(root / "project")
    cache = Cache(root / "cache")
    cache.prepare()
    return Loaded(Project(root / "project", documents, catalog), cache)


@contextmanager
def flipped(path: Path, offset: int) -> Iterator[None]:
    """Flip one bit of a file for a while."""
    sound = path.read_bytes()
    spoilt = bytearray(sound)
    spoilt[offset] ^= 0x10
    path.write_bytes(spoilt)
    yield
    path.write_bytes(sound)


def _dataset(name: str) -> dict[str, Any]:
    schema = [{"name": column, "type": kind} for column, kind in COLUMNS]
    return {"id": name, "schema": schema, "manifest": f"{name}/manifest.json"}


def _endpoint(dataset: str) -> dict[str, Any]:
    names = [name for name, _ in COLUMNS]
    return {
        "name": f"{dataset}_rows",
        "version": 1,
        "dataset": dataset,
        "params": [{"name": "name", "type": "string"}],
        "query": {
            "select": [{"as": name, "column": name} for name in names],
            "filters": [{"column": "name", "op": "eq", "param": "name"}],
        },
        "columns": names,
    }
