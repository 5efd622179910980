"""The document of a generation, and which snapshots can be served without any build."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from offloader.catalog.manifest import Manifest
from offloader.service.builder import process as builder
from offloader.service.cache import Cache
from offloader.service.generation_document import (
    encode,
    entry_of,
    kept_manifest,
    part_keys,
    ready_entry,
)
from offloader.service.project import Project
from offloader.service.state import Snapshot
from tests.projects import UsageProject, usage_dataset, usage_project, write_yaml
from tests.service.building import job_of, loaded
from tests.service.looking import look


@pytest.fixture
def project(tmp_path: Path) -> UsageProject:
    return usage_project(tmp_path / "project", rows=12)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def manifest(project: UsageProject, cache: Cache) -> Manifest:
    """The manifest of a snapshot whose parts lie in the cache."""
    outcome = builder.build(job_of(project.root, cache), now=0)
    assert outcome["ok"]
    return manifest_of(loaded(project.root), cache)


def manifest_of(found: Project, cache: Cache) -> Manifest:
    return look(found, found.catalog.datasets["usage"], cache).manifest


def ready(project: UsageProject, cache: Cache, manifest: Manifest) -> object:
    """Return the entry of a snapshot under the project as it is written, None if it has none."""
    catalog = loaded(project.root).catalog
    return ready_entry(cache, catalog, "usage", Snapshot.of(manifest))


def test_an_entry_names_the_snapshot_and_every_part(
    project: UsageProject, cache: Cache, manifest: Manifest
) -> None:
    """The columns part is first, and all parts are what the builder wrote."""
    entry = entry_of(loaded(project.root).catalog, "usage", manifest)
    assert entry["snapshot"] == {
        "snapshot_id": "s0001",
        "manifest_digest": manifest.digest,
        "watermark": 1_780_272_000_000_000,
        "created_at": 1_780_272_000_000_000,
        "row_count": 12,
    }
    written = {path.name for path in cache.root.glob("segments/usage/*")}
    assert set(entry["parts"]) == written
    kinds = [b'"kind":"columns"' in cache.part("usage", p).read_bytes() for p in entry["parts"]]
    assert kinds == [True, False, False, False, False, False]


def test_a_rebuilt_segment_has_names_of_its_own_in_memory(
    project: UsageProject, manifest: Manifest
) -> None:
    """The ids of its parts stay what they are; each rebuild is loaded anew."""
    catalog = loaded(project.root).catalog
    entry = entry_of(catalog, "usage", manifest)
    assert (entry["copy"], part_keys(entry)) == (0, entry["parts"])
    second = entry_of(catalog, "usage", manifest, copy=2)
    assert second == {**entry, "copy": 2}
    assert part_keys(second) == [f"{part_id}.2" for part_id in entry["parts"]]


def test_a_snapshot_is_ready_without_its_source(
    project: UsageProject, cache: Cache, manifest: Manifest
) -> None:
    """What lies whole in the cache is served before any source is asked."""
    project.manifest_path.unlink()
    catalog = loaded(project.root).catalog
    assert ready(project, cache, manifest) == entry_of(catalog, "usage", manifest)
    snapshot = Snapshot.of(manifest)
    rebuilt = ready_entry(cache, catalog, "usage", snapshot, copy=3)
    assert rebuilt == entry_of(catalog, "usage", manifest, copy=3)
    assert ready_entry(cache, catalog, "gone", snapshot) is None


def test_a_snapshot_with_a_missing_part_is_not_ready(
    project: UsageProject, cache: Cache, manifest: Manifest
) -> None:
    """Whichever part is not there, the dataset waits for its build."""
    for part_id in entry_of(loaded(project.root).catalog, "usage", manifest)["parts"]:
        path = cache.part("usage", part_id)
        content = path.read_bytes()
        path.unlink()
        assert ready(project, cache, manifest) is None
        path.write_bytes(content)
    assert ready(project, cache, manifest) is not None


def test_a_snapshot_that_breaks_the_contract_is_not_ready(
    project: UsageProject, cache: Cache, manifest: Manifest
) -> None:
    """A column that the cached snapshot lacks needs a newer snapshot."""
    document = usage_dataset()
    document["schema"] = [*document["schema"], {"name": "plan", "type": "VARCHAR"}]
    write_yaml(project.root / "datasets" / "usage.yml", document)
    assert ready(project, cache, manifest) is None


def test_a_kept_manifest_must_be_the_one_asked_for(cache: Cache, manifest: Manifest) -> None:
    """A copy that is gone, is damaged or is of another snapshot is as none."""
    path = cache.manifest("usage", manifest.digest)
    assert kept_manifest(cache, "usage", manifest.digest) == manifest
    other = {**json.loads(path.read_text()), "producer": "another"}
    for content in (json.dumps(other).encode(), path.read_bytes()[:-2], b""):
        path.write_bytes(content)
        assert kept_manifest(cache, "usage", manifest.digest) is None
    path.unlink()
    assert kept_manifest(cache, "usage", manifest.digest) is None


def test_a_snapshot_of_another_manifest_is_not_ready(
    project: UsageProject, cache: Cache, manifest: Manifest
) -> None:
    """Without the manifest of what was active nothing is served as it."""
    assert ready(project, cache, replace(manifest, digest="0" * 32)) is None


def test_a_document_travels_as_compact_utf8() -> None:
    """No space, no escape: a catalog of any language stays small."""
    assert encode({"a": ["é", 1, None]}) == '{"a":["é",1,null]}'.encode()
