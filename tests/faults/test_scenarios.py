"""The short form of `make faults`: every scenario, a few times each, on real processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev.faults.bad_snapshots import ROWS
from dev.faults.full_disk import NAMES
from dev.faults.outcome import Outcome
from dev.faults.scenarios import SCENARIOS

SEED = 20260601
OTHER_ROWS = (
    "file overwritten during load",
    "source slow",
    "builder killed for its memory",
    "source down",
    "builder hanging past its limit",
)


def short_form(name: str, folder: Path) -> list[Outcome]:
    """Run a scenario's short form; nothing in it may be broken."""
    outcomes = list(SCENARIOS[name](folder, SEED, True))
    lines = [line for outcome in outcomes for line in outcome.lines() if outcome.broken]
    assert not lines, "\n".join(lines)
    return outcomes


@pytest.mark.parametrize("name", ["swaps", "kills", "container", "config"])
def test_nothing_is_lost(name: str, tmp_path: Path) -> None:
    """Swaps and kills under load lose no request, no connection but a killed worker's, no state."""
    (outcome,) = short_form(name, tmp_path)
    if outcome.skipped:
        pytest.skip(outcome.skipped)
    assert outcome.bounds


def test_every_bad_snapshot_is_refused(tmp_path: Path) -> None:
    """Each row of the table leaves what is served as it was, and names its cause."""
    outcomes = short_form("table", tmp_path)
    rows = [*(row.name for row in ROWS), *OTHER_ROWS, *(f"disk full while {n}" for n in NAMES)]
    assert [outcome.scenario for outcome in outcomes] == rows
