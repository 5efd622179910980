"""Two instances on one volume corrupt neither, whatever they do at once."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from offloader.segment.layout import verify
from offloader.service.cache import Cache
from offloader.service.collect import collect
from offloader.service.instance import read_state, state_paths
from tests.service.volume_user import AHEAD_SECONDS, DATASET
from tests.service.volumes import names, prepared
from tests.service_process import wait_until

ROUNDS = 60
SECONDS = 60.0


def started(cache: Cache, seed: int, rounds: int) -> subprocess.Popen[bytes]:
    """Start a process that uses the volume."""
    words = [sys.executable, "-m", "tests.service.volume_user"]
    return subprocess.Popen(
        [*words, str(cache.root), str(seed), str(rounds)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_two_processes_that_build_and_collect_at_once_lose_nothing(
    tmp_path: Path, seed: int
) -> None:
    """What either holds is there and sound, also of one that was killed in the middle."""
    cache = prepared(tmp_path / "cache")
    with started(cache, seed + 100, 10**9) as second:
        try:
            wait_until(lambda: state_paths(cache), SECONDS, lambda: second.poll())
            with started(cache, seed, ROUNDS) as first:
                try:
                    out, _ = first.communicate(timeout=SECONDS)
                finally:
                    first.kill()
        finally:
            second.kill()
        other, _ = second.communicate()
    number, report = out.splitlines()
    assert json.loads(report)["lost"] == []
    assert json.loads(report)["removed"] > ROUNDS / 2
    assert other.split() == [b"1" if number == b"0" else b"0"]  # it was killed before it ended
    paths = state_paths(cache)
    assert set(paths) == {0, 1}
    for path in paths.values():
        saved = read_state(path)
        assert saved is not None
        held = saved.holds[DATASET]
        for part_id in held.parts:
            verify(cache.part(DATASET, part_id).read_bytes())
        for digest in held.manifests:
            assert cache.manifest(DATASET, digest).read_bytes() == digest.encode()
    _assert_tidied(cache)


def _assert_tidied(cache: Cache) -> None:
    """What a killed process left goes with the next collector, and only what is held stays."""
    found = collect(cache, {}, cache.root / "state.json", time.time() + AHEAD_SECONDS)
    assert found.errors == ()
    saved = [read_state(path) for path in state_paths(cache).values()]
    held = {i for one in saved if one for i in one.holds[DATASET].parts}
    assert names(cache.part(DATASET, "x").parent) == held
    assert names(cache.leases) == set()
    assert list(cache.root.rglob(".*.tmp")) == []
