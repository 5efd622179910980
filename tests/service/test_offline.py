"""Rules of work on a volume that nobody uses: states stay, and what is marked stays away."""

from __future__ import annotations

from pathlib import Path

import pytest

from offloader.errors import OffloaderError, StartError
from offloader.service.cache import Cache
from offloader.service.instance import claim, state_path
from offloader.service.offline import clear, quarantine_snapshot, unused
from offloader.service.quarantine import Mark, mark, marks, put_away, put_away_parts
from offloader.service.state import DatasetState, Saved, save_state
from tests.service.volumes import digest, names, prepared, snapshot, write_part, written

SERVED = DatasetState(active=snapshot(2), previous=snapshot(1), rolled_back=(snapshot(3),))


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """A volume on which s2 is served: part 20 is its columns, 21 a path; part 10 is of s1."""
    made = prepared(tmp_path / "cache")
    for number, of in ((10, 1), (20, 2), (21, 2)):
        write_part(made, "usage", digest(number), digest(of))
    written(made.manifest("usage", digest(2)))
    written(made.counts("usage", digest(2)))
    save_state(state_path(made, 0), Saved({"usage": SERVED}))
    return made


def left(cache: Cache) -> set[str]:
    """Return the parts of the dataset usage that are left."""
    folder = cache.part("usage", "x").parent
    return names(folder) if folder.exists() else set()


def away(cache: Cache, snapshot_id: str = "", *, parts_only: bool = False) -> set[str]:
    """Put a snapshot away and return the ids of the parts that went."""
    done = quarantine_snapshot(cache, "usage", snapshot_id, "why", 5.0, parts_only=parts_only)
    return set(done.parts)


def test_a_volume_in_use_is_refused(cache: Cache) -> None:
    """The refusal names the instances and the commands that a running service takes."""
    instance = claim(cache)
    with pytest.raises(StartError) as caught, unused(cache):
        pass
    assert caught.value.code == "cache_in_use"
    assert "instance 0" in caught.value.message
    assert "offloader snapshot quarantine" in caught.value.hint
    instance.release()
    with unused(cache), pytest.raises(StartError, match="cache_busy"):
        claim(cache, wait_seconds=0.0)


def test_the_active_snapshot_is_marked_and_its_parts_are_put_away(cache: Cache) -> None:
    """Other snapshots' parts stay, and the state file is not touched."""
    before = state_path(cache, 0).read_bytes()
    assert away(cache) == {digest(20), digest(21)}
    assert left(cache) == {digest(10)}
    assert marks(cache, "usage") == (Mark("s2", digest(2), "why", "command line", 5.0),)
    assert {part.reason for part in put_away_parts(cache, "usage")} == {"why"}
    assert state_path(cache, 0).read_bytes() == before


def test_parts_alone_are_put_away_without_a_mark(cache: Cache) -> None:
    """The next start builds the snapshot again."""
    assert away(cache, parts_only=True) == {digest(20), digest(21)}
    assert marks(cache, "usage") == ()


def test_what_cannot_be_read_goes_along(cache: Cache) -> None:
    """A part whose head is damaged may be of any snapshot."""
    spoilt = cache.part("usage", digest(10))
    spoilt.write_bytes(b"\0" + spoilt.read_bytes()[1:])
    written(cache.part("usage", digest(11)), b"")
    assert away(cache, parts_only=True) == {digest(n) for n in (10, 11, 20, 21)}


@pytest.mark.parametrize(("snapshot_id", "parts"), [("s1", {digest(10)}), ("s3", set())])
def test_any_snapshot_that_is_remembered_can_be_named(
    cache: Cache, snapshot_id: str, parts: set[str]
) -> None:
    """Active, previous or rolled back, with or without parts."""
    assert away(cache, snapshot_id) == parts
    assert [one.snapshot_id for one in marks(cache, "usage")] == [snapshot_id]


def test_a_snapshot_that_is_not_known_is_refused_with_the_nearest(cache: Cache) -> None:
    """Nothing is put away then; without any active one there is nothing to mark either."""
    with pytest.raises(OffloaderError) as caught:
        away(cache, "s11")
    assert (caught.value.code, caught.value.hint) == ("unknown_snapshot", "did you mean s1?")
    state_path(cache, 0).unlink()
    with pytest.raises(OffloaderError, match="no active snapshot of usage"):
        away(cache)
    assert left(cache) == {digest(10), digest(20), digest(21)}


def test_without_a_state_all_parts_are_put_away(cache: Cache) -> None:
    """A volume whose state file is lost too can still be mended."""
    state_path(cache, 0).write_bytes(b"{")
    assert away(cache, parts_only=True) == {digest(10), digest(20), digest(21)}


def test_clearing_removes_what_was_built(cache: Cache) -> None:
    """Parts, manifests and counts of these datasets; states, marks and what was put away stay."""
    write_part(cache, "other", digest(30))
    write_part(Cache(cache.root / "rebuilding" / "0"), "usage", digest(31))
    mark(cache, "usage", Mark("s1", digest(1), "why", "by", 0.0))
    put_away(cache, "usage", [digest(10)], "why", 0.0)
    written(cache.root / "segments" / "usage" / "README")
    state = state_path(cache, 0).read_bytes()
    removed = clear(cache, ["usage"], with_quarantine=False)
    assert (removed.files, removed.errors) == (5, ())
    assert left(cache) == {"README"}
    assert not cache.manifest("usage", "x").parent.exists()
    assert len(names(cache.quarantine_of("usage"))) == 3
    assert names(cache.part("other", "x").parent) == {digest(30)}
    assert state_path(cache, 0).read_bytes() == state


def test_clearing_the_quarantine_leaves_the_marks(cache: Cache) -> None:
    """A snapshot that is kept away stays away."""
    mark(cache, "usage", Mark("s1", digest(1), "why", "by", 0.0))
    put_away(cache, "usage", [digest(10)], "why", 0.0)
    assert clear(cache, ["usage"], with_quarantine=True).files == 6
    assert names(cache.quarantine_of("usage")) == {f"{digest(1)}.snapshot"}
