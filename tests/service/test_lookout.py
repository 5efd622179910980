"""Look at a source: what a manifest must be, and which of the kept ones a name stands for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from offloader.errors import SnapshotRefused, SourceUnavailable
from offloader.service.cache import Cache
from offloader.service.lookout import Published, find_kept
from offloader.service.project import manifest_location
from tests.projects import (
    UsageProject,
    publish,
    usage_project,
    usage_table,
)
from tests.service.building import loaded
from tests.service.looking import look


@pytest.fixture
def project(tmp_path: Path) -> UsageProject:
    return usage_project(tmp_path / "project", rows=3)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def looked(project: UsageProject, cache: Cache) -> Published:
    """Look at the usage dataset."""
    found = loaded(project.root)
    return look(found, found.catalog.datasets["usage"], cache)


def test_a_look_keeps_a_copy_of_the_manifest(project: UsageProject, cache: Cache) -> None:
    """The copy has the same bytes and lies under the digest, so that a build is of one manifest."""
    published = looked(project, cache)
    assert published.copy == cache.manifest("usage", published.manifest.digest)
    assert published.copy.read_bytes() == project.manifest_path.read_bytes()


def test_a_manifest_lies_where_the_dataset_says(project: UsageProject) -> None:
    """The path is below the project's folder."""
    found = loaded(project.root)
    location = manifest_location(found, found.catalog.datasets["usage"])
    assert str(location) == str(project.manifest_path)


def test_a_manifest_that_is_not_there_is_transient(project: UsageProject, cache: Cache) -> None:
    """The source may publish it at any time."""
    project.manifest_path.unlink()
    with pytest.raises(SourceUnavailable) as missing:
        looked(project, cache)
    assert missing.value.code == "manifest_missing"


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b'{"a":1,"a":2}', b'{"a":NaN}', b"\xff", b"null"]
)
def test_a_manifest_that_is_no_manifest_is_refused(
    project: UsageProject, cache: Cache, raw: bytes
) -> None:
    """Whatever was written there, it is a refusal and nothing is kept of it."""
    project.manifest_path.write_bytes(raw)
    with pytest.raises(SnapshotRefused) as refused:
        looked(project, cache)
    assert refused.value.code == "manifest_invalid"
    assert list(cache.root.glob("manifests/*/*")) == []


def test_a_manifest_behind_a_link_out_of_the_project_is_refused(
    project: UsageProject, cache: Cache, tmp_path: Path
) -> None:
    """A symlink does not lead out, whatever lies there."""
    project.manifest_path.replace(tmp_path / "manifest.json")
    project.manifest_path.symlink_to(tmp_path / "manifest.json")
    with pytest.raises(SnapshotRefused) as refused:
        looked(project, cache)
    assert refused.value.code == "symlink_leaves_project"


def test_a_kept_snapshot_is_found_by_its_id(project: UsageProject, cache: Cache) -> None:
    """Every manifest that was looked at is kept, and one that is damaged is passed over."""
    first = looked(project, cache)
    publish(project, usage_table(4), "s0002")
    second = looked(project, cache)
    assert find_kept(cache, "usage", "s0001") == first
    assert find_kept(cache, "usage", "s0002") == second
    assert find_kept(cache, "usage", "s0003") is None
    assert find_kept(cache, "billing", "s0001") is None
    document = json.loads(first.copy.read_bytes())
    first.copy.write_text(json.dumps({**document, "producer": "another"}))
    assert find_kept(cache, "usage", "s0001") is None
