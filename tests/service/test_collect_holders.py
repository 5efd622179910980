"""Rules of the collector about others: what their states and leases need stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from offloader.service import collect as collecting
from offloader.service.cache import Cache
from offloader.service.instance import claim
from offloader.service.lease import lease
from offloader.service.removal import Collected
from offloader.service.state import Held
from offloader.shared.file_lock import close_lock, open_lock, try_lock
from tests.service.volumes import (
    DAY_SECONDS,
    NOTHING,
    NOW_SECONDS,
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


def test_what_another_instance_holds_stays(cache: Cache) -> None:
    """Whether it lives or not, and whatever number it has."""
    parts(cache, 1, 2, 3)
    save_holding(cache.root / "state.1.json", "usage", [digest(1)])
    aged(save_holding(cache.root / "state.9.json", "usage", [digest(2)]), 6 * DAY_SECONDS)
    assert collected(cache).files == 1
    assert left(cache) == {digest(1), digest(2)}


def test_an_instance_that_is_long_gone_holds_nothing(cache: Cache) -> None:
    """After 7 days its state file is removed with what only it held."""
    parts(cache, 1, 2)
    gone = save_holding(cache.root / "state.1.json", "usage", [digest(1), digest(2)])
    aged(gone, 7 * DAY_SECONDS)
    size_bytes = gone.stat().st_size
    save_holding(cache.root / "state.2.json", "usage", [digest(2)])
    assert collected(cache) == Collected(files=2, bytes=size_bytes + len(b"content"))
    assert not gone.exists()
    assert left(cache) == {digest(2)}


def test_an_instance_that_lives_is_never_forgotten(cache: Cache) -> None:
    """However long ago it wrote its state; and one's own file is touched, for the others."""
    parts(cache, 1, 2)
    living = [claim(cache), claim(cache)]
    for one, number in zip(living, (1, 2), strict=True):
        aged(save_holding(one.state, "usage", [digest(number)]), 30 * DAY_SECONDS)
    assert collected(cache) == NOTHING
    assert left(cache) == {digest(1), digest(2)}
    assert living[0].state.stat().st_mtime == NOW_SECONDS
    for one in living:
        one.release()


@pytest.mark.parametrize("content", [b"", b'{"version": 1}', b"\0" * 100])
def test_a_state_file_that_cannot_be_read_stops_everything(cache: Cache, content: bytes) -> None:
    """Nobody knows what it holds; its being long gone is known all the same."""
    parts(cache, 1)
    gone = save_holding(cache.root / "state.2.json", "usage", [])
    aged(gone, 8 * DAY_SECONDS)
    unclear = written(cache.root / "state.1.json", content)
    found = collected(cache)
    assert (found.files, len(found.errors)) == (0, 1)
    assert "state.1.json cannot be read" in found.errors[0]
    assert left(cache) == {digest(1)}
    assert gone.exists()
    aged(unclear, 8 * DAY_SECONDS)
    assert collected(cache).files == 3
    assert left(cache) == set()


def test_ones_own_damaged_state_file_is_no_obstacle(cache: Cache) -> None:
    """The caller says what is held."""
    parts(cache, 1, 2)
    (cache.root / "state.json").write_bytes(b"{")
    assert collected(cache, usage=Held((digest(1),))).files == 1
    assert left(cache) == {digest(1)}


def test_what_a_living_lease_names_stays(cache: Cache) -> None:
    """Until it is released; the file of a lease that nobody holds goes, with what it named."""
    parts(cache, 1, 2)
    written(cache.manifest("usage", digest(3)))
    written(cache.leases / "dead.lease", b'{"parts": ["%s"], "manifests": []}' % digest(2).encode())
    with lease(cache, "usage", [digest(1)], [digest(3)]) as held:
        for path in cache.leases.iterdir():
            aged(path)
        assert collected(cache).files == 2
        assert left(cache) == {digest(1)}
        assert len(names(cache.leases)) == 1
        held.release()
    assert collected(cache).files == 2
    assert names(cache.leases) == set()


def test_what_goes_from_a_lease_into_a_state_meanwhile_stays(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another instance saves its state and releases its lease between two looks of a collector."""
    parts(cache, 1)
    state = save_holding(cache.root / "state.1.json", "usage", [])
    held = lease(cache, "usage", [digest(1)], [])
    looks: list[str] = []

    def swap_after(name: str) -> None:
        real = getattr(collecting, name)

        def look(*arguments: object) -> object:
            found = real(*arguments)
            if not looks:
                save_holding(state, "usage", [digest(1)])
                held.release()
            looks.append(name)
            return found

        monkeypatch.setattr(collecting, name, look)

    for name in ("seen_leases", "read_state"):
        swap_after(name)
    assert collected(cache) == NOTHING
    assert sorted(looks) == ["read_state", "seen_leases"]
    assert left(cache) == {digest(1)}


def test_a_living_lease_that_cannot_be_read_stops_everything(cache: Cache) -> None:
    """Nobody knows what it needs."""
    parts(cache, 1)
    path = written(cache.leases / "x.lease", b"{")
    held = open_lock(path)
    assert try_lock(held) == "held"
    assert "x.lease cannot be read" in collected(cache).errors[0]
    assert left(cache) == {digest(1)}
    close_lock(held)
    assert collected(cache).files == 2
