"""Work on one dataset: look, decide, build what is missing; whatever comes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from offloader.errors import SnapshotRefused, SourceUnavailable
from offloader.service.cache import Cache
from offloader.service.lease import lease
from offloader.service.reloader import work as work_module
from offloader.service.state import DatasetState
from offloader.stores.access import Access
from tests.service.workbench import Bench, code, found_id, leased

KILLED = SourceUnavailable("builder_killed", "the builder ended", "give it more memory")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_newer_snapshot_is_built_and_leased(bench: Bench) -> None:
    """Every part of it and its manifest stay until somebody lets go of them."""
    done = bench.do()
    assert found_id(done) == "s3"
    assert done.found is not None
    cache, entry = bench.story.cache, done.found.entry
    assert all(cache.part("a", part_id).exists() for part_id in entry["parts"])
    assert leased(cache) == [{*entry["parts"], bench.digest("s3")}]
    assert bench.steps == [("a", "queued"), ("a", "building")]
    assert (done.attempt.snapshot_id, done.attempt.code, done.attempt.at) == ("s3", "", 5.0)
    assert done.attempt.contract == done.found.contract


def test_the_builder_gets_everything_it_needs(bench: Bench) -> None:
    """Nothing but this job tells it what to do."""
    bench.do()
    (job,) = bench.jobs
    story = bench.story
    assert job == {
        "documents": bench.task().project.documents,
        "dataset": "a",
        "cache": str(story.cache.root),
        "target": str(story.cache.root),
        "root": str(story.root),
        "manifest_at": str(story.manifest("a")),
        "access": Access().as_document(),
        "manifest_copy": str(story.cache.manifest("a", bench.digest("s3"))),
        "previous_row_count": 0,
        "was_served": False,
        "threads": 3,
    }


def test_what_is_served_needs_no_work(bench: Bench) -> None:
    """And says so."""
    bench.known = DatasetState(bench.seen["s3"])
    assert bench.do().stay == "served"
    assert (bench.jobs, leased(bench.story.cache)) == ([], [])


def test_parts_in_the_cache_need_no_builder(bench: Bench) -> None:
    """The guards are asked from what was counted."""
    bench.do()
    assert found_id(bench.do()) == "s3"
    assert len(bench.jobs) == 1
    bench.guard(min_rows=1)
    assert code(bench.do()) == ("too_few_rows", True)
    assert len(bench.jobs) == 1


def test_parts_without_their_numbers_need_a_builder(bench: Bench) -> None:
    """It counts what the guards ask for, and builds nothing."""
    bench.do()
    bench.story.cache.counts("a", bench.digest("s3")).unlink()
    bench.do()
    assert len(bench.jobs) == 2
    bench.guard(not_null=["id"])
    assert found_id(bench.do()) == "s3"
    assert len(bench.jobs) == 3


def test_a_snapshot_of_another_dataset_is_refused(bench: Bench) -> None:
    """Two datasets that share a path by mistake do not serve each other's rows."""
    bench.story.publish("a", "s4", minutes=9, dataset_id="b")
    done = bench.do()
    assert code(done) == ("dataset_differs", True)
    assert done.attempt.snapshot_id == "s4"
    assert bench.jobs == []


def test_what_was_refused_for_good_is_not_built_again(bench: Bench) -> None:
    """Unless an operator asks, or the contract is another one."""
    bench.story.builder.fails["a"] = SnapshotRefused("file_missing", "x is not there", "publish")
    failed = bench.do()
    assert code(failed) == ("file_missing", True)
    bench.known = replace(bench.known, attempt=failed.attempt)
    assert bench.do().stay == "refused_before"
    assert len(bench.jobs) == 1
    bench.story.builder.fails.clear()
    assert found_id(bench.do(is_asked=True)) == "s3"
    bench.story.lose_parts()
    bench.guard(min_rows=0)
    assert found_id(bench.do()) == "s3"


def test_a_failure_lets_go_of_every_file(bench: Bench) -> None:
    """What nobody serves may be collected; the failure is counted."""
    bench.story.builder.fails["a"] = KILLED
    bench.known = replace(bench.known, attempt=replace(bench.known.attempt, failures=2))
    done = bench.do()
    assert code(done) == ("builder_killed", False)
    assert (done.attempt.snapshot_id, done.attempt.failures) == ("s3", 3)
    assert leased(bench.story.cache) == []


def test_an_error_nobody_foresaw_is_an_outcome_too(bench: Bench) -> None:
    """The thread goes on."""
    bench.story.builder.fails["a"] = ZeroDivisionError("oh")
    assert code(bench.do()) == ("internal", False)


def test_older_data_is_told_by_its_name(bench: Bench) -> None:
    """It is refused before any work; a pin may want it all the same, later."""
    bench.story.publish("a", "s4", minutes=0)
    done = bench.do()
    assert code(done) == ("watermark_older", True)
    assert done.attempt.snapshot_id == "s4"
    bench.known = replace(bench.known, attempt=done.attempt)
    bench.pin_in_config("s4")
    assert found_id(bench.do()) == "s4"


def test_a_snapshot_that_was_served_before_is_not_judged_anew(bench: Bench) -> None:
    """Its rows and its age were right in their time."""
    bench.do(target=bench.seen["s1"], wish="rollback", is_asked=True)
    (job,) = bench.jobs
    assert (job["previous_row_count"], job["was_served"]) == (None, True)


def test_a_rebuild_is_made_aside_and_put_in_place(bench: Bench) -> None:
    """Under a number of its own; of two instances on a volume each has its own place."""
    bench.known = DatasetState(bench.seen["s3"], copy=2)
    first = bench.do(target=bench.seen["s3"], wish="pin", is_asked=True)
    assert first.found is not None
    part = bench.story.cache.part("a", first.found.entry["parts"][0])
    before = part.stat().st_ino
    done = bench.do(target=bench.seen["s3"], wish="rebuild", is_asked=True)
    assert done.found is not None
    assert (first.found.entry["copy"], done.found.entry["copy"]) == (2, 3)
    assert bench.jobs[-1]["target"] == str(bench.story.cache.root / "rebuilding" / "7" / "a")
    assert part.stat().st_ino != before
    assert not (bench.story.cache.root / "rebuilding" / "7" / "a").exists()


def test_a_rebuild_that_fails_leaves_what_is_in_use(bench: Bench) -> None:
    """Not one part is replaced."""
    first = bench.do(target=bench.seen["s2"], wish="pin", is_asked=True)
    assert first.found is not None
    part = bench.story.cache.part("a", first.found.entry["parts"][0])
    before = part.stat().st_ino
    bench.story.builder.fails["a"] = KILLED
    assert code(bench.do(target=bench.seen["s2"], wish="rebuild", is_asked=True)) == (
        "builder_killed",
        False,
    )
    assert part.stat().st_ino == before


def test_a_full_disk_does_not_stop_the_way_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The previous snapshot lies there: a rollback needs no lease. All else does."""
    bench.do(target=bench.seen["s1"], wish="pin", is_asked=True)

    def full(*_: object) -> None:
        raise SourceUnavailable("disk_full", "the cache volume is full", "free some")

    monkeypatch.setattr(work_module, "lease", full)
    done = bench.do(target=bench.seen["s1"], wish="rollback", is_asked=True)
    assert found_id(done) == "s1"
    assert done.found is not None
    assert done.found.lease is None
    assert code(bench.do()) == ("disk_full", False)


def test_a_snapshot_that_was_collected_meanwhile_is_not_served(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only under a lease it is sure to stay."""

    def late(cache: Cache, *arguments: Any, **fields: Any) -> object:
        cache.manifest("a", bench.digest("s3")).unlink()
        return lease(cache, *arguments, **fields)

    monkeypatch.setattr(work_module, "lease", late)
    assert code(bench.do()) == ("manifest_not_kept", False)
    assert leased(bench.story.cache) == []
