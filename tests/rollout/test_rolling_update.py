"""A rollout of two real instances behind a real nginx, under load; a benchmark does ten."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev.bench.rolling_update import measure, write_rows


@pytest.mark.parametrize("way", ["switch", "passive"])
def test_no_request_fails_in_a_rollout(nginx: str, tmp_path: Path, way: str) -> None:
    """Every one is answered, right and once; both releases were seen, no connection was closed.

    Where nginx is told, it has nothing to mend: no try to reach an instance fails.
    """
    settings = {"drain_seconds": "0.5", "workers": "1"}
    data = write_rows(tmp_path, 2_000)
    found = measure(tmp_path, data, settings, way, 1, 8, 80.0, quiet_seconds=0.5)
    assert (found.tally.failed, dict(found.tally.problems)) == (0, {})
    assert found.tally.reconnects == 0
    assert set(found.seen) == {1, 2}
    assert len(found.tally.times_ms["rollout"]) > 8
    if way == "switch":
        assert dict(found.failed_tries) == {}
