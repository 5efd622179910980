"""Builds that are overtaken: the source is asked again before what was built is served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from offloader.service.state import DatasetState
from tests.service.workbench import Bench, found_id, leased


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_build_is_dropped_when_the_source_has_another_snapshot(bench: Bench) -> None:
    """The newer one is built instead, but not twice in a row: a quick source starves nobody."""
    bench.during_the_build(lambda: bench.story.publish("a", "s4", minutes=4))
    done = bench.do()
    assert (done.found, done.is_overtaken) == (None, True)
    assert leased(bench.story.cache) == []
    bench.during_the_build(lambda: bench.story.publish("a", "s5", minutes=5))
    assert found_id(bench.do(overtaken=1)) == "s4"


def test_a_build_is_dropped_when_the_source_went_back(bench: Bench) -> None:
    """It took its snapshot away: that counts always, also when an operator waits."""
    newest = bench.story.manifest("a").read_bytes()
    served = bench.story.cache.manifest("a", bench.digest("s2")).read_bytes()
    for changes in ({"overtaken": 1}, {"is_asked": True}):
        bench.story.lose_parts()
        bench.story.manifest("a").write_bytes(newest)
        bench.during_the_build(lambda: bench.story.manifest("a").write_bytes(served))
        assert bench.do(**changes).is_overtaken


def test_a_build_that_waited_for_its_turn_looks_again_before_it_begins(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While others were built the source went on."""

    def queued(name: str, step: str) -> None:
        if step == "queued":
            bench.story.publish("a", "s4", minutes=4)

    monkeypatch.setattr(bench.work, "_on_step", queued)
    assert bench.do().is_overtaken
    assert bench.jobs == []


def test_a_build_goes_on_when_the_source_cannot_be_asked(bench: Bench) -> None:
    """What was read is whole: it is served."""
    bench.during_the_build(bench.story.manifest("a").unlink)
    assert found_id(bench.do()) == "s3"


@pytest.mark.parametrize("why", ["target", "pin", "active", "lost"])
def test_what_the_source_does_not_name_is_never_overtaken(bench: Bench, why: str) -> None:
    """A target, a pin, what is brought under a new contract, and what is built after a loss."""
    changes: dict[str, Any] = {}
    if why == "target":
        changes = {"target": bench.seen["s1"], "wish": "pin", "is_asked": True}
    elif why == "pin":
        bench.pin_in_config("s1")
    elif why == "lost":
        bench.quarantine("s3")
        bench.known = DatasetState(previous=bench.seen["s1"])
    else:
        bench.quarantine("s3")
        changes = {"is_pending": True}
    bench.during_the_build(lambda: bench.story.publish("a", "s4", minutes=4))
    assert found_id(bench.do(**changes)) == ("s2" if why == "active" else "s1")
