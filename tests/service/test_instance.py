"""Rules of slots: the lowest free one, held by one living main, with a state file of its own."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from offloader.errors import StartError
from offloader.service import instance
from offloader.service.cache import Cache
from offloader.service.instance import (
    Instance,
    claim,
    hosts,
    inherit,
    occupied,
    read_state,
    starts_held_back,
    state_path,
    state_paths,
)
from offloader.service.state import DatasetState, Saved, load_state, save_state
from tests.service.volumes import prepared

# Claims a slot, forks a child that outlives it, says so, waits to be killed.
_CLAIMING = """
import os, sys
from pathlib import Path
from offloader.service.cache import Cache
from offloader.service.instance import claim
claimed = claim(Cache(Path(sys.argv[1])))
if not os.fork():
    print(claimed.number, os.getpid(), flush=True)
os.read(0, 1)
"""


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return prepared(tmp_path / "cache")


def test_slots_are_taken_from_0_upwards_and_again_when_free(cache: Cache) -> None:
    """Slot 0 has state.json, slot n has state.<n>.json; a free slot is taken before a new one."""
    made = [claim(cache, f"host-{number}") for number in range(3)]
    assert [one.number for one in made] == [0, 1, 2]
    assert [one.state.name for one in made] == ["state.json", "state.1.json", "state.2.json"]
    assert {one.state.parent for one in made} == {cache.root}
    assert occupied(cache) == (0, 1, 2)
    made[1].release()
    assert occupied(cache) == (0, 2)
    assert hosts(cache) == {0: "host-0", 1: "host-1", 2: "host-2"}
    again = claim(cache, "new")
    assert again.number == 1
    assert hosts(cache)[1] == "new"
    for one in (made[0], again, made[2]):
        one.release()
    assert occupied(cache) == ()


def test_a_crowded_volume_is_refused(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many instances as there are slots, and no more."""
    assert instance.MAX_INSTANCES == 64
    monkeypatch.setattr(instance, "MAX_INSTANCES", 3)
    made = [claim(cache) for _ in range(3)]
    with pytest.raises(StartError) as caught:
        claim(cache)
    assert caught.value.code == "cache_crowded"
    assert caught.value.message == f"{cache.root}: 3 instances use it already"
    for one in made:
        one.release()


def test_a_killed_instance_frees_its_slot_though_a_child_lives(cache: Cache) -> None:
    """A child that was forked does not keep the slot of a main that was killed."""
    command = [sys.executable, "-c", _CLAIMING, str(cache.root)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as main:  # type: ignore[call-overload]
        number, child = map(int, main.stdout.readline().split())
        assert (number, occupied(cache)) == (0, (0,))
        os.kill(main.pid, signal.SIGKILL)
        main.wait(timeout=30)
        try:
            os.kill(child, 0)  # it lives
            assert occupied(cache) == ()
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_start_waits_for_a_command_and_says_when_it_is_too_long(cache: Cache) -> None:
    """While starts are held back no slot can be taken; afterwards it can."""
    with starts_held_back(cache) as living:
        assert living == ()
        with pytest.raises(StartError) as caught:
            claim(cache, wait_seconds=0.0)
        assert caught.value.code == "cache_busy"
        with (
            pytest.raises(StartError, match="cache_busy"),
            starts_held_back(cache, wait_seconds=0.0),
        ):
            pass
    claim(cache, wait_seconds=0.0).release()


def test_who_may_only_read_the_volume_can_ask_who_lives(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`offloader cache status` needs no right to write; a start does."""
    made = claim(cache)

    def refuse(_path: Path) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(instance, "open_lock", refuse)
    assert occupied(cache) == (0,)
    with pytest.raises(StartError, match="cache_not_writable"):
        claim(cache)
    made.release()


def test_without_locks_there_is_one_instance_and_a_warning(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Serving goes on as instance 0; the log says that the volume must not be shared."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with caplog.at_level(logging.WARNING, "offloader"):
        made = claim(cache)
    assert (made.number, made.state, made.descriptor) == (0, cache.root / "state.json", None)
    assert [record.getMessage() for record in caplog.records] == ["cache_without_locks"]
    made.release()
    assert occupied(cache) == ()


def test_a_volume_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """The error is that of the cache folder."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(StartError, match="cache_not_writable"):
        claim(Cache(tmp_path / "file"))


def test_only_state_files_of_slots_are_found(cache: Cache) -> None:
    """By number; links, folders and other names are passed over."""
    for name in ("state.json", "state.2.json", "state.63.json", "state.64.json", "state.02.json"):
        (cache.root / name).write_text("{}")
    (cache.root / "state.3.json").mkdir()
    (cache.root / "state.4.json").symlink_to(cache.root / "state.json")
    (cache.root / "state.1.json.tmp").write_text("{}")
    found = {number: path.name for number, path in state_paths(cache).items()}
    assert found == {0: "state.json", 2: "state.2.json", 63: "state.63.json"}


def test_a_new_slot_begins_with_what_the_newest_state_says(cache: Cache) -> None:
    """A replica on a shared volume keeps pins and rollbacks; a slot with a state keeps its own."""
    for number, pin in ((0, "old"), (1, "new"), (2, "")):
        path = state_path(cache, number)
        if pin:
            save_state(path, Saved({"usage": DatasetState(pin=pin)}))
            os.utime(path, (1000 + number, 1000 + number))
        inherit(cache, Instance(number, path))
    pins = [load_state(state_path(cache, number)).datasets["usage"].pin for number in range(3)]
    assert pins == ["old", "new", "new"]


def test_an_empty_state_is_told_from_one_that_cannot_be_read(cache: Cache) -> None:
    """None means that nobody knows what it holds."""
    path = cache.root / "state.json"
    assert read_state(path) == Saved()
    save_state(path, Saved())
    assert read_state(path) == Saved()
    known = Saved({"usage": DatasetState(pin="s1")})
    save_state(path, known)
    assert read_state(path) == known
    whole = path.read_bytes()
    for content in (b"", b"{}", b"[]", whole[:-2], whole.replace(b'"version": ', b'"version": 9')):
        path.write_bytes(content)
        assert read_state(path) is None
