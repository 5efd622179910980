"""Look at a manifest, and decide what its snapshot and its failures mean."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from offloader.errors import SnapshotRefused, SourceUnavailable
from offloader.service.cache import Cache
from offloader.service.reloader.refresh import (
    back_off_seconds,
    check_pin,
    contract_of,
    failed,
    is_known_failure,
    look,
)
from offloader.service.state import Attempt, DatasetState
from tests.projects import UsageProject, usage_dataset, usage_project, write_yaml
from tests.service.building import loaded
from tests.snapshots import write_manifest


@pytest.fixture
def project(tmp_path: Path) -> UsageProject:
    return usage_project(tmp_path / "project", rows=3)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def looked(project: UsageProject, cache: Cache) -> tuple[str, Path, Path]:
    """Look at the usage dataset; return the manifest's digest, its path and its copy's."""
    found = loaded(project.root)
    manifest, path, copy = look(found, found.catalog.datasets["usage"], cache)
    return manifest.digest, path, copy


def contract(project: UsageProject) -> str:
    found = loaded(project.root)
    return contract_of(found.catalog, found.catalog.datasets["usage"])


def attempt(**changes: object) -> Attempt:
    return replace(Attempt(), **changes)  # type: ignore[arg-type]


def after(error: SnapshotRefused | SourceUnavailable, failures: int = 0) -> Attempt:
    """Return what is remembered of a failure after so many others."""
    known = DatasetState(attempt=attempt(failures=failures))
    return failed(known, error, manifest=None, contract="c", now=5.0, seconds=0.12345)


def test_a_look_keeps_a_copy_of_the_manifest(project: UsageProject, cache: Cache) -> None:
    """The copy has the same bytes and lies under the digest, so that a build is of one manifest."""
    digest, path, copy = looked(project, cache)
    assert path == project.manifest_path
    assert copy == cache.manifest("usage", digest)
    assert copy.read_bytes() == path.read_bytes()


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


def test_a_manifest_of_another_dataset_is_refused(project: UsageProject, cache: Cache) -> None:
    """Two datasets that share a path by mistake do not serve each other's rows."""
    manifest = json.loads(project.manifest_path.read_text())
    write_manifest(project.manifest_path, {**manifest, "dataset_id": "billing"})
    with pytest.raises(SnapshotRefused) as refused:
        looked(project, cache)
    assert refused.value.code == "dataset_differs"


def test_a_manifest_in_a_bucket_is_refused_by_name(project: UsageProject, cache: Cache) -> None:
    """What cannot be read yet says so."""
    document = usage_dataset() | {"manifest": "s3://bucket/manifest.json"}
    write_yaml(project.root / "datasets" / "usage.yml", document)
    with pytest.raises(SnapshotRefused) as refused:
        looked(project, cache)
    assert refused.value.code == "source_unsupported"


def test_a_manifest_behind_a_link_out_of_the_project_is_refused(
    project: UsageProject, cache: Cache, tmp_path: Path
) -> None:
    """A symlink does not lead out, whatever lies there."""
    project.manifest_path.replace(tmp_path / "manifest.json")
    project.manifest_path.symlink_to(tmp_path / "manifest.json")
    with pytest.raises(SnapshotRefused) as refused:
        looked(project, cache)
    assert refused.value.code == "symlink_leaves_project"


def test_a_refusal_is_final_and_a_failure_is_counted() -> None:
    """Only transient failures count, in a row."""
    refusal = after(SnapshotRefused("too_old", "old", "publish"), failures=3)
    assert (refusal.code, refusal.is_final, refusal.failures) == ("too_old", True, 0)
    failure = after(SourceUnavailable("disk_full", "full", "free some"), failures=3)
    assert (failure.code, failure.is_final, failure.failures) == ("disk_full", False, 4)
    assert (failure.at, failure.duration_seconds) == (5.0, 0.123)


def test_a_message_is_remembered_up_to_a_limit() -> None:
    """A message of any length fits the state file and the board."""
    long = after(SourceUnavailable("internal", "x" * 10_000_000))
    assert long.message == "x" * 2000


def test_a_known_failure_is_of_one_manifest_under_one_contract(
    project: UsageProject, cache: Cache
) -> None:
    """Another manifest, another contract, or a transient failure: it is worth another try."""
    found = loaded(project.root)
    manifest = look(found, found.catalog.datasets["usage"], cache)[0]
    final = attempt(is_final=True, manifest_digest=manifest.digest, contract="c")
    assert is_known_failure(DatasetState(attempt=final), manifest, "c")
    for other in (
        replace(final, manifest_digest="another"),
        replace(final, contract="another"),
        replace(final, is_final=False),
    ):
        assert not is_known_failure(DatasetState(attempt=other), manifest, "c")


def test_a_pin_wants_its_snapshot_served_or_published(project: UsageProject, cache: Cache) -> None:
    """Without a pin anything goes; with one, what is neither served nor published is told."""
    found = loaded(project.root)
    dataset = found.catalog.datasets["usage"]
    manifest = look(found, dataset, cache)[0]
    check_pin(dataset, manifest, None)
    check_pin(replace(dataset, pin="s0001"), manifest, None)
    check_pin(replace(dataset, pin="s0000"), manifest, "s0000")
    for served in (None, "s0002"):
        with pytest.raises(SourceUnavailable) as missing:
            check_pin(replace(dataset, pin="s0000"), manifest, served)
        assert missing.value.code == "pinned_snapshot_missing"


def test_the_contract_changes_with_guards_and_paths(project: UsageProject) -> None:
    """What decides whether a snapshot can be served is in the contract's digest; keys are not."""
    before = contract(project)
    (project.root / "endpoints" / "usage_rows.yml").unlink()
    write_yaml(project.root / "keys" / "keys.yml", {"keys": []})
    without_paths = contract(project)
    document = usage_dataset() | {"guards": {"min_rows": 1}}
    write_yaml(project.root / "datasets" / "usage.yml", document)
    assert len({before, without_paths, contract(project)}) == 3
    document = usage_dataset()
    write_yaml(project.root / "datasets" / "usage.yml", document)
    assert contract(project) == without_paths


@pytest.mark.parametrize(
    ("known", "least", "most"),
    [
        (attempt(), 27, 33),
        (attempt(is_final=True, manifest_digest="m"), 27, 33),
        (attempt(failures=1), 0.75, 1.25),
        (attempt(failures=3), 3, 5),
        (attempt(failures=6), 22.5, 37.5),
        (attempt(failures=1000), 22.5, 37.5),
        (attempt(failures=1, manifest_digest="m"), 0.75, 1.25),
        (attempt(failures=6, manifest_digest="m"), 24, 40),
        (attempt(failures=1000, manifest_digest="m"), 225, 375),
    ],
)
def test_pauses_are_bounded(known: Attempt, least: float, most: float) -> None:
    """The interval give or take a tenth; after failures a doubling pause, up to its bound."""
    chance = random.Random(1)
    pauses = [back_off_seconds(known, 30, chance) for _ in range(500)]
    width = most - least
    assert least <= min(pauses) < least + 0.1 * width
    assert most - 0.1 * width < max(pauses) <= most


def test_a_long_interval_bounds_the_pauses_of_failed_work() -> None:
    """Where looks are an hour apart, failed builds are no closer in the end."""
    known = attempt(failures=1000, manifest_digest="m")
    pauses = [back_off_seconds(known, 3600, random.Random(n)) for n in range(100)]
    assert 2700 <= min(pauses) <= max(pauses) <= 4500
