"""The document of a generation, and which datasets a start can take from the cache."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from offloader.catalog.manifest import Manifest
from offloader.service.builder import process as builder
from offloader.service.cache import Cache
from offloader.service.generation_document import cached_entries, encode, entry_of, kept_manifest
from offloader.service.project import Project
from offloader.service.reloader.refresh import look
from offloader.service.state import DatasetState, Snapshot
from tests.projects import UsageProject, usage_dataset, usage_project, write_yaml
from tests.service.building import job_of, loaded


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
    return look(found, found.catalog.datasets["usage"], cache)[0]


def active(manifest: Manifest) -> dict[str, DatasetState]:
    return {"usage": DatasetState(active=Snapshot.of(manifest))}


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
    assert kinds == [True, False, False, False, False]


def test_a_cached_snapshot_is_taken_at_the_start(
    project: UsageProject, cache: Cache, manifest: Manifest
) -> None:
    """What was active and lies whole in the cache is served before any source is asked."""
    catalog = loaded(project.root).catalog
    project.manifest_path.unlink()
    found = cached_entries(cache, catalog, active(manifest))
    assert found == {"usage": entry_of(catalog, "usage", manifest)}


def test_what_was_never_active_is_not_taken(
    project: UsageProject, cache: Cache, manifest: Manifest
) -> None:
    """Parts alone prove nothing: their snapshot may have been refused."""
    catalog = loaded(project.root).catalog
    assert cached_entries(cache, catalog, {}) == {}
    assert cached_entries(cache, catalog, {"usage": DatasetState()}) == {}
    assert cached_entries(cache, catalog, {"gone": active(manifest)["usage"]}) == {}


def test_a_missing_part_makes_a_dataset_cold(
    project: UsageProject, cache: Cache, manifest: Manifest
) -> None:
    """Whichever part is not there, the dataset waits for its build."""
    catalog = loaded(project.root).catalog
    for part_id in entry_of(catalog, "usage", manifest)["parts"]:
        path = cache.part("usage", part_id)
        content = path.read_bytes()
        path.unlink()
        assert cached_entries(cache, catalog, active(manifest)) == {}
        path.write_bytes(content)
    assert list(cached_entries(cache, catalog, active(manifest))) == ["usage"]


def test_a_contract_that_the_snapshot_breaks_makes_a_dataset_cold(
    project: UsageProject, cache: Cache, manifest: Manifest
) -> None:
    """A column that the cached snapshot lacks needs a newer snapshot."""
    document = usage_dataset()
    document["schema"] = [*document["schema"], {"name": "plan", "type": "VARCHAR"}]
    write_yaml(project.root / "datasets" / "usage.yml", document)
    assert cached_entries(cache, loaded(project.root).catalog, active(manifest)) == {}


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


def test_a_state_of_another_manifest_is_cold(
    project: UsageProject, cache: Cache, manifest: Manifest
) -> None:
    """Without the manifest of what was active nothing is served as it."""
    state = active(replace(manifest, digest="0" * 32))
    assert cached_entries(cache, loaded(project.root).catalog, state) == {}


def test_a_document_travels_as_compact_utf8() -> None:
    """No space, no escape: a catalog of any language stays small."""
    assert encode({"a": ["é", 1, None]}) == '{"a":["é",1,null]}'.encode()
