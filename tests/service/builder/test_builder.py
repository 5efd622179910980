"""The builder: what it builds, what it leaves alone, what it refuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from offloader.errors import SnapshotRefused
from offloader.segment.layout import read_descriptor
from offloader.service.builder import process as builder
from offloader.service.cache import Cache
from offloader.service.counts import load_counts
from offloader.service.quarantine import quarantined_parts
from offloader.service.state import DatasetState, Snapshot
from tests.failure_lab.test_failure_lab import LAB, NOW, TABLE
from tests.projects import (
    UsageProject,
    publish,
    usage_by_account,
    usage_dataset,
    usage_project,
    usage_table,
    write_yaml,
)
from tests.service.building import job_of, loaded, parts_in
from tests.service.looking import look

NOW_SECONDS = NOW / 1e6
SNAPSHOT_DEFECTS = [row for row in TABLE if row[1] != "configuration"]
BUILT = {"ok": True, "row_count": 30, "downloaded_bytes": 0, "download_seconds": 0}


@pytest.fixture
def project(tmp_path: Path) -> UsageProject:
    return usage_project(tmp_path / "project", rows=30)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def built(
    project: UsageProject, cache: Cache, known: DatasetState | None = None
) -> Mapping[str, Any]:
    """Build the newest snapshot, in this process."""
    return builder.build(job_of(project.root, cache, known), now=NOW_SECONDS)


def guard(project: UsageProject, **guards: object) -> None:
    write_yaml(project.root / "datasets" / "usage.yml", {**usage_dataset(), "guards": guards})


def active(rows: int, digest: str = "an older one") -> DatasetState:
    return DatasetState(active=Snapshot("s0000", digest, 0, 0, rows))


def newest_digest(project: UsageProject, cache: Cache) -> str:
    found = loaded(project.root)
    return look(found, found.catalog.datasets["usage"], cache).manifest.digest


def test_a_build_writes_every_part(project: UsageProject, cache: Cache) -> None:
    """The outcome counts the rows, and the bytes of the parts that lie in the cache then."""
    outcome = built(project, cache)
    written = sum(path.stat().st_size for path in cache.root.glob("segments/usage/*"))
    assert outcome == BUILT | {"written_bytes": written}
    assert len(parts_in(cache)) == 6


def test_parts_in_the_cache_are_not_built_again(project: UsageProject, cache: Cache) -> None:
    """A second build writes nothing and leaves every file as it is."""
    built(project, cache)
    before = parts_in(cache)
    assert built(project, cache) == {
        "ok": True,
        "row_count": 30,
        "written_bytes": 0,
        "downloaded_bytes": 0,
        "download_seconds": 0,
    }
    assert parts_in(cache) == before


def test_a_new_endpoint_builds_only_its_own_path(project: UsageProject, cache: Cache) -> None:
    """Of a dataset that gets another endpoint, only the new access path is written."""
    built(project, cache)
    before = parts_in(cache)
    document = usage_by_account() | {
        "name": "usage_by_calls",
        "params": [{"name": "calls", "type": "integer", "required": True}],
    }
    filters = [{"column": "api_calls", "op": "eq", "param": "calls"}]
    new_endpoint = document | {"query": document["query"] | {"filters": filters}}
    write_yaml(project.root / "endpoints" / "usage_by_calls.yml", new_endpoint)
    outcome = built(project, cache)
    (new,) = parts_in(cache).keys() - before.keys()
    assert outcome["written_bytes"] == cache.part("usage", new).stat().st_size
    assert {name: parts_in(cache)[name] for name in before} == before


def test_a_changed_description_builds_nothing(project: UsageProject, cache: Cache) -> None:
    """Words about a dataset or an endpoint are in no part."""
    built(project, cache)
    before = parts_in(cache)
    document = usage_dataset() | {"description": "in other words"}
    write_yaml(project.root / "datasets" / "usage.yml", document)
    document = usage_by_account() | {"description": "so too here"}
    write_yaml(project.root / "endpoints" / "usage_by_account.yml", document)
    assert built(project, cache)["written_bytes"] == 0
    assert parts_in(cache) == before


@pytest.mark.parametrize(
    ("guards", "previous", "code"),
    [
        ({"max_row_drop_percent": 10}, 40, "row_count_dropped"),
        ({"max_row_drop_percent": 25}, 40, None),
        ({"max_row_growth_percent": 10}, 20, "row_count_grew"),
        ({"max_row_growth_percent": 1000}, 0, "row_count_grew"),
        ({"max_row_growth_percent": 10, "max_row_drop_percent": 10}, None, None),
    ],
)
def test_row_counts_are_compared_with_the_snapshot_before(
    project: UsageProject,
    cache: Cache,
    guards: dict[str, object],
    previous: int | None,
    code: str | None,
) -> None:
    """30 rows after `previous` ones break a bound or keep it; after nothing, bounds hold."""
    guard(project, **guards)
    outcome = built(project, cache, None if previous is None else active(previous))
    assert (outcome.get("code"), outcome.get("is_final")) == (code, True if code else None)


def test_guards_hold_for_parts_that_a_refused_build_left(
    project: UsageProject, cache: Cache
) -> None:
    """Parts of a refused snapshot lie in the cache; building it again is refused again."""
    guard(project, min_rows=31)
    first = built(project, cache)
    assert (first["code"], len(parts_in(cache))) == ("too_few_rows", 6)
    assert built(project, cache) == first
    guard(project, unique=["tenant_id"])
    assert built(project, cache)["code"] == "duplicate_keys"
    guard(project, not_null=["region"])
    assert built(project, cache)["code"] == "null_values"


def test_age_is_judged_when_a_snapshot_is_new(project: UsageProject, cache: Cache) -> None:
    """What was young enough when it was first served is built again however old it is by now."""
    publish(project, usage_table(30), "s0002", watermark="2026-05-31T23:00:00Z")
    guard(project, max_age_minutes=60)
    assert built(project, cache)["code"] == "too_old"
    assert built(project, cache, active(30))["code"] == "too_old"
    assert built(project, cache, active(30, newest_digest(project, cache)))["ok"]
    publish(project, usage_table(30), "s0003", watermark="2026-05-31T23:10:00Z")
    assert built(project, cache)["ok"]


def test_a_damaged_columns_part_is_put_away_and_built_again(
    project: UsageProject, cache: Cache
) -> None:
    """A flipped bit is found before a path is built from it, and every part is sound then."""
    built(project, cache)
    sound = {path.name: path.read_bytes() for path in cache.root.glob("segments/usage/*")}
    columns = next(name for name, part in sound.items() if b'"kind":"columns"' in part)
    for name, content in sound.items():
        cache.part("usage", name).unlink()
        if name == columns:
            flipped = bytearray(content)
            flipped[100] ^= 1
            cache.part("usage", name).write_bytes(flipped)
    assert built(project, cache)["ok"]
    assert quarantined_parts(cache, "usage") == 1
    assert {p.name: p.read_bytes() for p in cache.root.glob("segments/usage/*")} == sound


def test_a_damaged_path_is_put_away_when_row_texts_are_made_from_it(
    project: UsageProject, cache: Cache
) -> None:
    """Of the parts that are there only the damaged one is built again."""
    built(project, cache)
    sound = {path.name: path.read_bytes() for path in cache.root.glob("segments/usage/*")}
    texts = next(name for name, part in sound.items() if b'"kind":"row_texts"' in part)
    order = json.dumps(read_descriptor(sound[texts])["order"], separators=(",", ":"))
    wanted = f'"columns":{order},"dataset"'.encode()
    path = next(name for name, part in sound.items() if wanted in part and name != texts)
    cache.part("usage", texts).unlink()
    flipped = bytearray(sound[path])
    flipped[100] ^= 1
    cache.part("usage", path).write_bytes(flipped)
    assert built(project, cache)["ok"]
    assert quarantined_parts(cache, "usage") == 1
    assert {p.name: p.read_bytes() for p in cache.root.glob("segments/usage/*")} == sound


@pytest.mark.parametrize(("name", "caught_by", "code"), SNAPSHOT_DEFECTS)
def test_every_defect_of_the_lab_is_refused_for_good(
    name: str, caught_by: str, code: str, cache: Cache
) -> None:
    """A look, or else the build, ends with the code that the lab's table says."""
    if caught_by in ("manifest", "compatibility"):
        with pytest.raises(SnapshotRefused) as refused:
            job_of(LAB / name, cache)
        assert [problem.code for problem in refused.value.problems] == [code]
        return
    job = job_of(LAB / name, cache)
    outcome = builder.build(job, now=NOW_SECONDS)
    assert (outcome["ok"], outcome["code"], outcome["is_final"]) == (False, code, True)
    assert [problem["code"] for problem in outcome["problems"]] == [code]
    assert outcome["hint"]


def test_what_the_guards_need_is_kept_beside_the_manifest(
    project: UsageProject, cache: Cache
) -> None:
    """The next one who asks needs no builder: rows, nulls by column, and repeated keys."""
    guard(project, unique=["tenant_id"], min_rows=31)
    assert built(project, cache)["code"] == "too_few_rows"
    counts = load_counts(cache, "usage", newest_digest(project, cache))
    assert counts is not None
    assert (counts.row_count, counts.null_counts["region"]) == (30, 4)
    assert counts.duplicate_keys == {"tenant_id": 27}


def test_a_rebuild_writes_aside_and_touches_nothing_in_use(
    project: UsageProject, cache: Cache, tmp_path: Path
) -> None:
    """Parts go below `target`, the same bytes again; those in the cache stay what they are."""
    built(project, cache)
    before, aside = parts_in(cache), Cache(tmp_path / "aside")
    job = {**job_of(project.root, cache), "target": str(aside.root)}
    assert builder.build(job, now=NOW_SECONDS)["ok"]
    assert parts_in(cache) == before
    assert parts_in(aside).keys() == before.keys()
    for name in before:
        assert aside.part("usage", name).read_bytes() == cache.part("usage", name).read_bytes()
    assert load_counts(aside, "usage", newest_digest(project, cache)) is None


@pytest.mark.parametrize("folder", ["cache", "target"])
def test_a_cache_that_cannot_be_written_is_transient(
    project: UsageProject, cache: Cache, tmp_path: Path, folder: str
) -> None:
    """Nothing is wrong with the snapshot: it is tried again."""
    job = job_of(project.root, cache)
    (tmp_path / "file").write_bytes(b"")
    outcome = builder.build({**job, folder: str(tmp_path / "file")}, now=NOW_SECONDS)
    assert (outcome["code"], outcome["is_final"]) == ("cache_not_writable", False)
    assert outcome["hint"] == "let the service's user write the cache volume; it is tried again"


def test_memory_that_runs_out_is_transient(
    project: UsageProject, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed allocation ends the build, not the builder's answer."""

    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(builder, "build_segment", fail)
    outcome = built(project, cache)
    assert (outcome["code"], outcome["is_final"]) == ("builder_out_of_memory", False)
