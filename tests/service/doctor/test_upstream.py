"""Sources, looked at without building: what the manifest shows, and whose it is when none comes."""

from __future__ import annotations

import json
import os
import threading
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from dev.emulators import GcsEmulator
from offloader.catalog.documents import load_catalog
from offloader.catalog.values import parse_timestamp
from offloader.service.doctor import upstream
from offloader.service.doctor.sharing import PROBE, check_segment_store
from offloader.service.doctor.upstream import Look, look_at_sources
from offloader.service.project import Project
from offloader.stores.access import Access
from offloader.stores.open import Stores
from tests.projects import UsageProject, usage_dataset, usage_project, write_yaml
from tests.snapshots import WATERMARK
from tests.stores.conftest import bucket, gcs

__all__ = ["bucket", "gcs"]

NOW = parse_timestamp(WATERMARK) / 1e6 + 3600
_PROBES = count()


@pytest.fixture
def project(tmp_path: Path) -> UsageProject:
    return usage_project(tmp_path / "project", rows=10)


def _look(project: UsageProject, access: Access | None = None, seconds: float = 60.0) -> Look:
    catalog, documents = load_catalog(project.root)
    opened = Project(project.root, documents, catalog)
    return look_at_sources(opened, access or Access(), lambda: NOW, seconds)["usage"]


def _told(look: Look) -> list[tuple[str, str, str]]:
    return [(one.heading, one.verdict, one.code) for one in look.findings]


def _change(project: UsageProject, **fields: object) -> None:
    """Change a project's dataset."""
    write_yaml(project.root / "datasets" / "usage.yml", {**usage_dataset(), **fields})


def _state(project: UsageProject, **fields: Any) -> None:
    """Have the manifest say something else."""
    document = json.loads(project.manifest_path.read_text())
    project.manifest_path.write_text(json.dumps({**document, **fields}))


def test_a_sound_snapshot(project: UsageProject) -> None:
    """Its id, watermark and size, and the time that the producer wrote down."""
    look = _look(project)
    (found,) = look.findings
    assert (found.verdict, found.subject) == ("ok", "usage")
    assert found.message == f"s0001 of {WATERMARK}: 1 file, rows: 10"
    assert list(look.told_at) == ["the manifest of usage"]
    assert all(at <= NOW for at in look.told_at.values())


def test_what_the_data_team_has_to_repair(project: UsageProject) -> None:
    """A manifest that is wrong, one that does not fit, a file that is not there, or none at all."""
    _state(project, row_count=11)
    assert _told(_look(project)) == [("upstream", "failed", "row_count_sum")]
    _state(project, row_count=10, schema=[{"name": "tenant_id", "type": "VARCHAR"}])
    assert {told[:2] for told in _told(_look(project))} == {("upstream", "failed")}
    project.manifest_path.unlink()
    (found,) = _look(project).findings
    assert (found.heading, found.code) == ("upstream", "manifest_missing")
    assert found.runbook == "docs/operations/runbooks.md#source-unreachable"


def test_a_file_that_is_cut_short(project: UsageProject) -> None:
    """Files are looked up, not read."""
    (data,) = (path for path in project.manifest_path.parent.rglob("*.parquet"))
    os.truncate(data, 4)
    (found,) = _look(project).findings
    assert (found.verdict, found.code) == ("failed", "file_size_differs")
    assert "it has 4 bytes" in found.message


def test_guards_that_the_manifest_shows_to_be_broken(project: UsageProject) -> None:
    """Warnings: what is served already stays. Those that need rows are not looked at."""
    _change(project, guards={"min_rows": 11, "max_age_minutes": 59, "unique": ["account_id"]})
    assert _told(_look(project)) == [
        ("upstream", "warning", "too_few_rows"),
        ("upstream", "warning", "too_old"),
    ]


def test_many_problems_are_cut_short(project: UsageProject) -> None:
    """Ten are shown, and how many more there are."""
    _state(project, sort_columns=[f"c{number}" for number in range(15)])
    found = _look(project).findings
    assert [one.code for one in found] == ["unknown_column"] * 10 + ["more_problems"]
    assert found[-1].message == "and 5 problems more"


def test_a_source_that_hangs(project: UsageProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the environment's, and nobody waits for it beyond the deadline."""
    hang = threading.Event()

    def read(_: Path) -> bytes:
        hang.wait(20.0)
        return b""

    monkeypatch.setattr(upstream, "read_manifest", read)
    try:
        assert _told(_look(project, seconds=0.2)) == [("environment", "failed", "source_slow")]
    finally:
        hang.set()


def test_a_fault_of_ours(project: UsageProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that nobody foresaw is told as ours, by its kind alone."""

    def read(_: Path) -> bytes:
        raise LookupError("secret")

    monkeypatch.setattr(upstream, "read_manifest", read)
    (found,) = _look(project).findings
    assert (found.heading, found.code) == ("us", "internal")
    assert found.message == "LookupError while it was looked at"


def test_a_bucket(project: UsageProject, gcs: GcsEmulator, bucket: str) -> None:
    """What is missing is the data team's, what refuses or is away is the environment's."""
    access = Access(gcs_auth="none", gcs_emulator_url=gcs.url)
    _change(project, manifest=f"gs://{bucket}/data/manifest.json")
    away = Access(gcs_auth="none", gcs_emulator_url="http://127.0.0.1:1")
    assert _told(_look(project, away)) == [("environment", "failed", "store_unreachable")]
    gcs.make_bucket(bucket)
    assert _told(_look(project, access)) == [("upstream", "failed", "manifest_missing")]
    gcs.put_folder(bucket, "data", project.manifest_path.parent)
    look = _look(project, access)
    assert _told(look) == [("upstream", "ok", "")]
    assert list(look.told_at) == ["the store of manifest.json", "the manifest of usage"]


def test_a_folder_of_commits(project: UsageProject, gcs: GcsEmulator, bucket: str) -> None:
    """The newest marker is named; no file is described."""
    gcs.make_bucket(bucket)
    source = {"type": "databricks", "bucket": bucket, "prefix": "out", "interval_seconds": 60}
    document = {name: value for name, value in usage_dataset().items() if name != "manifest"}
    write_yaml(project.root / "datasets" / "usage.yml", {**document, "source": source})
    access = Access(gcs_auth="none", gcs_emulator_url=gcs.url)
    assert _told(_look(project, access)) == [("upstream", "failed", "commit_missing")]
    gcs.put(bucket, "out/_committed_7", json.dumps({"added": ["part-1.parquet"]}).encode())
    (found,) = _look(project, access).findings
    assert found.message == f"gs://{bucket}/out/_manifest.json: the newest commit is tid_7"


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    folder = tmp_path / "shelf"
    folder.mkdir()
    return folder


def test_the_segment_store_is_only_read(shelf: Path) -> None:
    """Unless it is asked for: then one object is made, once."""
    (found,) = check_segment_store(str(shelf), Stores(Access()), write_probe=False)
    assert (found.verdict, found.message) == ("ok", "it can be read and is empty")
    assert list(shelf.iterdir()) == []
    for _ in range(2):
        (found,) = check_segment_store(str(shelf), Stores(Access()), write_probe=True)
        assert found.verdict == "ok"
        assert found.message.endswith("; it can be written")
    assert [path.name for path in shelf.iterdir()] == [PROBE]


def test_a_segment_store_that_is_away_is_a_warning(tmp_path: Path) -> None:
    """Segments are built instead: it costs time, no more."""
    (found,) = check_segment_store(str(tmp_path / "no"), Stores(Access()), write_probe=False)
    assert (found.heading, found.verdict, found.code) == (
        "environment",
        "warning",
        "bucket_missing",
    )
    assert found.hint.endswith("until then every replica builds its own segments")
