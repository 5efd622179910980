"""Rules of the collector: it removes what is surely not needed, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from offloader.segment.temporary import open_temporary
from offloader.service.cache import Cache
from offloader.service.lease import lease
from offloader.service.removal import Collected
from offloader.service.state import Held
from offloader.shared.file_lock import close_lock, open_lock, try_lock
from tests.service.volumes import (
    DAY_SECONDS,
    HOUR_SECONDS,
    NOTHING,
    aged,
    collected,
    digest,
    left,
    names,
    parts,
    prepared,
    save_holding,
    written,
)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return prepared(tmp_path / "cache")


def test_what_is_held_stays_and_the_rest_goes(cache: Cache) -> None:
    """Parts, manifests and their counts, by what the caller and its own state file hold."""
    parts(cache, 1, 2, 3)
    for number in (4, 5, 6):
        written(cache.manifest("usage", digest(number)))
        written(cache.counts("usage", digest(number)))
    save_holding(cache.root / "state.json", "usage", [digest(2)], [digest(5)])
    found = collected(cache, usage=Held((digest(1),), (digest(4),)))
    assert left(cache) == {digest(1), digest(2)}
    kept = {digest(4), digest(5), f"{digest(4)}.counts", f"{digest(5)}.counts"}
    assert names(cache.manifest("usage", "x").parent) == kept
    assert found == Collected(files=3, bytes=3 * len(b"content"))
    assert collected(cache, usage=Held((digest(1),), (digest(4),))) == NOTHING


def test_what_is_young_stays(cache: Cache) -> None:
    """A minute old is not young; a time to come is."""
    parts(cache, 1, seconds=59.0)
    parts(cache, 2, seconds=60.0)
    parts(cache, 3, seconds=-DAY_SECONDS)
    assert collected(cache).files == 1
    assert left(cache) == {digest(1), digest(3)}


def test_one_collector_works_at_a_time(cache: Cache) -> None:
    """Whoever comes second does nothing."""
    parts(cache, 1)
    other = open_lock(cache.collect_lock)
    assert try_lock(other) == "held"
    assert collected(cache) == NOTHING
    close_lock(other)
    assert collected(cache).files == 1


def test_what_is_being_written_stays(cache: Cache) -> None:
    """A temporary file goes when its writer is gone and it is not young, in every folder."""
    targets = [
        cache.part("usage", digest(1)),
        cache.manifest("usage", digest(1)),
        cache.quarantine_of("usage") / "x",
        cache.root / "rebuilding" / "0" / "segments" / "usage" / digest(1),
        cache.root / "state.json",
    ]
    made = [open_temporary(target, 0o600) for target in targets]
    paths = [aged(path) for _, path in made]
    assert collected(cache) == NOTHING
    for descriptor, _ in made:
        os.close(descriptor)
    aged(paths[0], 0.0)
    assert collected(cache).files == 4
    assert [path.exists() for path in paths] == [True, False, False, False, False]


def test_without_locks_only_age_tells_what_is_abandoned(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leases and temporary files count as living for 14 days: no build takes that long."""
    monkeypatch.setattr("offloader.service.lease.try_lock", lambda _: "unsupported")
    monkeypatch.setattr("offloader.segment.temporary.try_lock", lambda _: "unsupported")
    parts(cache, 1)
    named = b'{"parts": ["%s"], "manifests": []}' % digest(1).encode()
    path = written(cache.leases / "x.lease", named)
    half = written(cache.part("usage", ".x.tmp"))
    assert collected(cache) == NOTHING
    for one in (path, half):
        aged(one, 14 * DAY_SECONDS)
    assert collected(cache).files == 3


def test_only_files_with_names_of_ours_are_removed(cache: Cache, tmp_path: Path) -> None:
    """Links, folders and other names stay, and links are not followed."""
    outside = tmp_path / "outside"
    written(outside / digest(1))
    segments = cache.root / "segments"
    (segments / "linked").symlink_to(outside)
    written(segments / "usage" / "README")
    written(segments / "usage" / "ABCDEF")
    written(segments / "Not-A-Dataset" / digest(1))
    written(segments / digest(1))
    (segments / "usage" / digest(2)).symlink_to(outside / digest(1))
    (segments / "usage" / digest(3)).mkdir()
    (segments / "usage" / ".x.tmp").symlink_to(outside / digest(1))
    before = sorted(cache.root.rglob("*"))
    assert collected(cache) == NOTHING
    assert sorted({*cache.root.rglob("*")} - {cache.collect_lock}) == sorted(
        {*before, cache.root / "instances" / "starts.lock"}
    )
    assert names(outside) == {digest(1)}


def test_folders_of_datasets_that_are_gone_are_removed(cache: Cache) -> None:
    """When they are empty and not young."""
    parts(cache, 1, 2, seconds=0.0)
    for kind, name in (("segments", "young"), ("segments", "old"), ("manifests", "old")):
        (cache.root / kind / name).mkdir()
        aged(cache.root / kind / name, 0.0 if name == "young" else HOUR_SECONDS)
    assert collected(cache) == NOTHING
    assert names(cache.root / "segments") == {"young", "usage"}
    assert names(cache.root / "manifests") == set()


def test_what_was_put_away_stays_but_not_a_reason_of_nothing(cache: Cache) -> None:
    """Parts and marks in quarantine are nobody's to collect."""
    folder = cache.quarantine_of("usage")
    for name in (f"{digest(1)}.5", f"{digest(1)}.5.reason", f"{digest(2)}.snapshot"):
        written(folder / name)
    written(folder / f"{digest(3)}.5.reason")
    assert collected(cache).files == 1
    assert names(folder) == {f"{digest(1)}.5", f"{digest(1)}.5.reason", f"{digest(2)}.snapshot"}


def test_parts_that_are_built_beside_those_in_use_stay_while_they_are_leased(cache: Cache) -> None:
    """A state file that holds the same ids does not hold these files."""
    beside = Cache(cache.root / "rebuilding" / "0")
    written(beside.part("usage", digest(1)))
    parts(cache, 1)
    with lease(cache, "usage", [digest(1)], []):
        assert collected(cache, usage=Held((digest(1),))) == NOTHING
    assert collected(cache, usage=Held((digest(1),))).files == 1
    assert left(cache) == {digest(1)}
    assert not beside.part("usage", digest(1)).exists()


def test_what_cannot_be_removed_is_told_and_the_rest_goes_on(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors are collected; a collector never raises."""
    parts(cache, 1, 2, 3)
    real = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.name == digest(2):
            raise PermissionError(13, "Permission denied")
        real(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    found = collected(cache)
    assert found.files == 2
    assert found.errors == (f"segments/usage/{digest(2)}: Permission denied",)
    assert left(cache) == {digest(2)}


def test_a_volume_that_is_gone_is_told(tmp_path: Path) -> None:
    """A collector never raises."""
    found = collected(Cache(tmp_path / "absent"))
    assert (found.files, len(found.errors)) == (0, 1)
