"""Sharing in the reloader: parts are fetched before a build, and offered after a swap."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from offloader.catalog.manifest import Manifest
from offloader.segment.access_path import PartPlan
from offloader.service.cache import Cache
from offloader.service.counts import Counts, save_counts
from offloader.service.reloader import reloader as reloader_module
from offloader.service.reloader.segment_fetch import OnPart
from offloader.service.reloader.segment_upload import Uploading
from offloader.service.reloader.sharing import Sharing, sharing_of
from tests.service.reloading import Story
from tests.service.segment_sharing import FolderShelf, Replica
from tests.service.workbench import Bench, code, found_id
from tests.settings.environments import read


class Fetched:
    """A segment store that has every part, or the first `most`, of what is asked for."""

    def __init__(self, cache: Cache, counts: Counts, most: int = 99) -> None:
        self._cache = cache
        self._counts = counts
        self._most = most
        self.asked: list[str] = []

    def __call__(self, manifest: Manifest, plan: PartPlan) -> None:
        self.asked.append(manifest.snapshot_id)
        for part_id in plan.part_ids[: self._most]:
            path = self._cache.part(manifest.dataset_id, part_id)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"shared")
        save_counts(self._cache, manifest.dataset_id, manifest.digest, self._counts)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def fetching(bench: Bench, counts: Counts | None = None, most: int = 99) -> Fetched:
    found = Fetched(bench.story.cache, counts or Counts(0, {}), most)
    bench.work._fetch = found
    return found


def test_what_others_built_is_not_built(bench: Bench) -> None:
    """It is fetched outside any turn, and swapped in as if it had been built."""
    found = fetching(bench)
    assert found_id(bench.do()) == "s3"
    assert (found.asked, bench.jobs, bench.steps) == (["s3"], [], [("a", "fetching")])


def test_what_does_not_come_is_built(bench: Bench) -> None:
    """The builder makes what is missing out of what is there."""
    fetching(bench, most=0)
    assert found_id(bench.do()) == "s3"
    assert bench.steps == [("a", "fetching"), ("a", "queued"), ("a", "building")]
    assert len(bench.jobs) == 1


def test_guards_count_for_what_was_fetched(bench: Bench) -> None:
    """A snapshot that a build would have refused is refused."""
    bench.guard(min_rows=1)
    fetching(bench, Counts(0, {}))
    assert code(bench.do()) == ("too_few_rows", True)
    assert bench.jobs == []


def test_a_guard_that_nobody_counted_for_asks_the_builder(bench: Bench) -> None:
    """The builder counts in the parts that came."""
    bench.guard(unique=["id"])
    fetching(bench)
    bench.do()
    assert bench.steps == [("a", "fetching"), ("a", "queued"), ("a", "building")]
    assert len(bench.jobs) == 1


def test_nothing_is_fetched_that_is_there_or_is_to_be_rebuilt(bench: Bench) -> None:
    """A rebuild is wished for because nobody trusts what there is."""
    found = fetching(bench, most=0)
    bench.do()
    bench.do()
    assert found.asked == ["s3"]
    bench.do(wish="rebuild", target=bench.seen["s3"], is_asked=True)
    assert found.asked == ["s3"]


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """The snapshot ids of every offer."""
    seen: list[dict[str, str]] = []

    def offer(_: Uploading, entries: Any) -> None:
        seen.append({name: entry["snapshot"]["snapshot_id"] for name, entry in entries.items()})

    monkeypatch.setattr(Uploading, "offer", offer)
    return seen


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    """One dataset, and no reloader yet."""
    monkeypatch.setattr(reloader_module, "HEARTBEAT_SECONDS", 0.0)
    return Story(tmp_path / "story", "a")


@pytest.fixture
def sharing(tmp_path: Path) -> Sharing:
    (tmp_path / "shelf").mkdir()
    replica = Replica(tmp_path / "replica", FolderShelf(tmp_path / "shelf"))
    return Sharing(replica.fetching, replica.uploading, replica.status)


def test_what_is_served_is_offered_after_each_swap(
    story: Story, offered: list[dict[str, str]], sharing: Sharing
) -> None:
    """Not before it, and not again by each turn."""
    story.sharing = sharing
    story.begin()
    story.settle()
    assert offered == [{}, {"a": "s1"}]
    story.publish("a", "s2", minutes=1)
    story.later()
    story.later()
    assert offered[2:] == [{"a": "s2"}]


def test_what_came_is_loaded_ahead_where_nothing_is_served(
    story: Story, sharing: Sharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cold dataset is ready the sooner; one that serves keeps its memory for that."""

    def fetch(_: Sharing, on_part: OnPart, manifest: Manifest, plan: PartPlan) -> None:
        for part_id in plan.part_ids:
            on_part(manifest.dataset_id, part_id)

    monkeypatch.setattr(Sharing, "fetch", fetch)
    story.sharing = sharing
    story.begin()
    story.settle()
    first = story.main.committed["snapshots"]["a"]["parts"]
    assert story.main.ahead == [("a", part_id) for part_id in first]
    story.publish("a", "s2", minutes=1)
    story.later()
    assert story.main.committed_ids == {"a": "s2"}
    assert len(story.main.ahead) == len(first)


def test_the_board_tells_of_the_store(story: Story, sharing: Sharing, tmp_path: Path) -> None:
    """Where there is none it says so."""
    story.begin()
    story.settle()
    assert story.main.status()["segment_store"] is None
    story.sharing = sharing
    story.begin()
    story.settle()
    told = story.main.status()["segment_store"]
    assert told["location"] == str(tmp_path / "shelf")
    assert (told["ok"], told["writable"], told["last_error"]) == (True, True, None)
    assert set(told["parts"]) >= {"fetched", "missing", "corrupt", "failed", "uploaded"}


def test_without_the_setting_nothing_is_shared(tmp_path: Path) -> None:
    """No thread, no store."""
    assert sharing_of(read(), Cache(tmp_path)) is None
    found = sharing_of(read(SEGMENT_STORE=str(tmp_path)), Cache(tmp_path))
    assert found is not None
    assert found.document()["location"] == str(tmp_path)
