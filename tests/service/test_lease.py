"""Rules of leases: what they name is known to others while their holder lives, and no longer."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from offloader.errors import SourceUnavailable
from offloader.service.cache import Cache
from offloader.service.lease import lease, seen_leases
from offloader.shared.file_lock import close_lock, open_lock, try_lock
from tests.service.volumes import digest, prepared
from tests.shared.descriptors import open_descriptors

_LEASING = """
import sys
from pathlib import Path
from offloader.service.cache import Cache
from offloader.service.lease import lease
held = lease(Cache(Path(sys.argv[1])), "usage", ["p"], ["m"])
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return prepared(tmp_path / "cache")


def test_a_lease_says_what_must_stay(cache: Cache) -> None:
    """Its file is JSON, locked, and gone when the block ends."""
    with lease(cache, "usage", [digest(1), digest(2)], [digest(3)]):
        (one,) = seen_leases(cache)
        assert one.is_held is True
        assert one.needs == frozenset({digest(1), digest(2), digest(3)})
        assert json.loads(one.path.read_bytes()) == {
            "dataset": "usage",
            "parts": [digest(1), digest(2)],
            "manifests": [digest(3)],
        }
    assert seen_leases(cache) == []
    assert list(cache.leases.iterdir()) == []


def test_many_leases_of_one_process_are_independent(cache: Cache) -> None:
    """Two on the same files are fine; releasing one, even twice, leaves the other."""
    first, second = (lease(cache, "usage", [digest(1)], []) for _ in range(2))
    assert [one.is_held for one in seen_leases(cache)] == [True, True]
    first.release()
    first.release()
    assert [one.is_held for one in seen_leases(cache)] == [True]
    second.release()


def test_the_lease_of_a_killed_process_is_abandoned(cache: Cache) -> None:
    """Its file is left, and nobody holds it."""
    command = [sys.executable, "-c", _LEASING, str(cache.root)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as holder:  # type: ignore[call-overload]
        assert holder.stdout.readline() == b"held\n"
        assert [one.is_held for one in seen_leases(cache)] == [True]
        holder.kill()
    assert [(one.is_held, one.needs) for one in seen_leases(cache)] == [
        (False, frozenset({"p", "m"}))
    ]


def test_a_lease_waits_for_a_collector(cache: Cache) -> None:
    """While files are removed none can be taken: too long a wait is a transient failure."""
    collecting = open_lock(cache.collect_lock)
    assert try_lock(collecting) == "held"
    with pytest.raises(SourceUnavailable) as caught:
        lease(cache, "usage", [], [], wait_seconds=0.0)
    assert caught.value.code == "cache_busy"
    assert list(cache.leases.iterdir()) == []
    close_lock(collecting)
    with lease(cache, "usage", [], [], wait_seconds=0.0):
        assert len(seen_leases(cache)) == 1


def test_a_lease_that_cannot_be_written_is_a_transient_failure(cache: Cache) -> None:
    """The error is that of the volume, and nothing is left."""
    cache.leases.rmdir()
    cache.leases.write_text("in the way")
    with pytest.raises(SourceUnavailable) as caught:
        lease(cache, "usage", [], [])
    assert caught.value.code == "cache_not_writable"


def test_a_lease_on_a_full_disk_leaves_nothing(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a file nor an open descriptor."""
    before = open_descriptors()

    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", refuse)
        with pytest.raises(SourceUnavailable, match="disk_full"):
            lease(cache, "usage", [], [])
    assert list(cache.leases.iterdir()) == []
    assert open_descriptors() <= before
    lease(cache, "usage", [], []).release()
    assert open_descriptors() <= before


def test_a_lease_that_cannot_be_read_needs_something_unknown(cache: Cache) -> None:
    """`needs` is None then, never empty."""
    for content in (b"", b"[]", b'{"parts": []}', b'{"parts": 1, "manifests": []}'):
        (cache.leases / "x.lease").write_bytes(content)
        assert [one.needs for one in seen_leases(cache)] == [None]


def test_without_locks_nobody_knows_whether_a_lease_is_held(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is taken and released all the same."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with lease(cache, "usage", [], []):
        assert [one.is_held for one in seen_leases(cache)] == [None]
    assert seen_leases(cache) == []
