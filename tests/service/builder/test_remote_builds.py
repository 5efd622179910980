"""Builds of snapshots in buckets: the same parts, and nothing left of what was downloaded."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dev.emulators.gcs import GcsEmulator, gcs_emulator
from offloader.service.builder import process as builder
from offloader.service.builder.job import run_build
from offloader.service.cache import Cache
from tests.projects import UsageProject, publish, usage_project, usage_table
from tests.service.building import job_of, parts_in

NOW_SECONDS = 1_780_272_000.0
LIMIT_SECONDS = 60.0


@pytest.fixture(scope="module")
def gcs() -> Iterator[GcsEmulator]:
    with gcs_emulator() as emulator:
        emulator.make_bucket("usage")
        yield emulator


@pytest.fixture
def project(tmp_path: Path) -> UsageProject:
    made = usage_project(tmp_path / "project", rows=30)
    publish(made, usage_table(40), "s0002", files=3)
    return made


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def job(project: UsageProject, cache: Cache, gcs: GcsEmulator) -> Mapping[str, Any]:
    """The job of the newest snapshot, which lies in a bucket and nowhere else."""
    prefix = project.root.parent.name
    made = job_of(project.root, cache)
    folder = project.manifest_path.parent
    gcs.put_folder("usage", prefix, folder)
    for path in folder.rglob("*.parquet"):
        path.unlink()
    at = f"gs://usage/{prefix}/manifest.json"
    return {**made, "manifest_at": at, "access": gcs.access.as_document(), "root": "/nowhere"}


def contents(cache: Cache) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in cache.root.glob("segments/*/*")}


def left_of_downloads(cache: Cache) -> list[Path]:
    return list(cache.downloads.iterdir())


def size_bytes(project: UsageProject) -> int:
    found: int = json.loads(project.manifest_path.read_text())["size_bytes"]
    return found


def test_a_bucket_and_a_directory_give_the_same_parts(
    project: UsageProject, cache: Cache, gcs: GcsEmulator, tmp_path: Path, request: Any
) -> None:
    """Byte for byte; the outcome tells what was downloaded, and nothing is left of that."""
    local = Cache(tmp_path / "local")
    outcome = builder.build(job_of(project.root, local), now=NOW_SECONDS)
    assert (outcome["ok"], outcome["downloaded_bytes"]) == (True, 0)
    job = request.getfixturevalue("job")
    outcome = builder.build(job, now=NOW_SECONDS)
    assert (outcome["row_count"], outcome["downloaded_bytes"]) == (40, size_bytes(project))
    assert 0 < outcome["download_seconds"] < LIMIT_SECONDS
    assert contents(cache) == contents(local)
    assert len(contents(cache)) == 6
    assert left_of_downloads(cache) == []


def test_a_process_builds_from_a_bucket(job: Mapping[str, Any], cache: Cache) -> None:
    """With what it is told on stdin; its environment has no word of the emulator."""
    assert run_build(job, limit_seconds=LIMIT_SECONDS) > 0
    assert len(parts_in(cache)) == 6
    assert left_of_downloads(cache) == []


def test_a_refused_snapshot_leaves_nothing(
    project: UsageProject, job: Mapping[str, Any], cache: Cache, gcs: GcsEmulator
) -> None:
    """Neither parts nor downloads."""
    key = sorted(key for key in gcs.keys("usage", project.root.parent.name) if "s0002" in key)[1]
    content = gcs.get("usage", key)
    gcs.put("usage", key, content[:100] + bytes([content[100] ^ 1]) + content[101:])
    outcome = builder.build(job, now=NOW_SECONDS)
    assert (outcome["code"], outcome["is_final"]) == ("file_checksum_differs", True)
    assert parts_in(cache) == {}
    assert left_of_downloads(cache) == []


def test_what_a_killed_builder_downloaded_is_removed_by_the_next(
    job: Mapping[str, Any], cache: Cache
) -> None:
    """It need not wait for the service to start again."""
    dead = cache.downloads / ".snapshot.0123.files"
    dead.mkdir(parents=True)
    (dead / "0").write_bytes(b"half of a file")
    assert builder.build(job, now=NOW_SECONDS)["ok"]
    assert left_of_downloads(cache) == []


def test_a_store_that_does_not_answer_is_transient(
    job: Mapping[str, Any], gcs: GcsEmulator
) -> None:
    """It says nothing of the snapshot."""
    access = {**gcs.access.as_document(), "gcs_auth": "bearer", "gcs_emulator_url": None}
    outcome = builder.build({**job, "access": access}, now=NOW_SECONDS)
    assert (outcome["code"], outcome["is_final"]) == ("credentials_missing", False)
    assert outcome["hint"]


def test_a_cache_that_is_full_of_downloads_is_transient(
    job: Mapping[str, Any], cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is to blame and not the snapshot."""

    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", refuse)
    outcome = builder.build(job, now=NOW_SECONDS)
    assert (outcome["code"], outcome["is_final"]) == ("disk_full", False)
    assert left_of_downloads(cache) == []
