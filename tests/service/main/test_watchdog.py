"""Rules of the watchdog: dead and wedged processes come back, but not for ever."""

from __future__ import annotations

import signal
from threading import Thread

import pytest

from offloader.service.main import watchdog as watchdog_module
from offloader.service.main.watchdog import (
    ASK_AGAIN_SECONDS,
    FORGIVEN_SECONDS,
    MAX_QUICK_DEATHS,
    START_SECONDS,
    Watchdog,
)
from offloader.shared.slots import Head
from tests.service.fake_worker import NO_PROCESS, sleeping_process
from tests.service.main.watched import (
    LOOK_SECONDS,
    START_TAKES_SECONDS,
    WEDGED_SECONDS,
    FakeProcess,
    Scene,
    Turns,
)
from tests.shared.descriptors import eventually


@pytest.fixture
def scene() -> Scene:
    """A process that has been well for a while."""
    made = Scene()
    made.live(5.0)
    return made


def test_a_process_that_runs_is_left_alone(scene: Scene) -> None:
    """Nothing is asked for and nothing counted."""
    scene.pass_by(60.0)
    assert (scene.restarts, scene.reasons, scene.noted) == ([], [], 0)


def test_a_process_that_was_well_is_restarted_at_once(scene: Scene) -> None:
    """By the look that finds it dead; the death is noted once."""
    assert scene.die() == 0.0
    assert (len(scene.restarts), scene.noted) == (1, 1)


def test_a_restart_is_asked_for_once(scene: Scene) -> None:
    """A second one would end what the first started; only much later is it asked for again."""
    scene.die()
    scene.pass_by(ASK_AGAIN_SECONDS - 1.0, is_beating=False)
    assert len(scene.restarts) == 1
    scene.pass_by(2.0, is_beating=False)
    assert (len(scene.restarts), scene.noted) == (2, 1)


def test_pauses_grow_with_quick_deaths_in_a_row() -> None:
    """A process that dies at its start does not take all of the processor."""
    scene = Scene()
    pauses = []
    for _ in range(8):
        scene.live(0.0)
        pauses.append(scene.die())
    assert pauses == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0]
    assert scene.noted == 8


def test_a_process_that_never_beats_dies_quickly() -> None:
    """However long its start took."""
    scene = Scene()
    scene.pass_by(20.0, is_beating=False)
    assert scene.die() == 0.25


def test_one_good_life_ends_the_pauses() -> None:
    """A second of heartbeats is enough: from then on something else killed it."""
    scene = Scene()
    for _ in range(5):
        scene.live(0.875)
        scene.die()
    scene.live(1.0)
    assert scene.die() == 0.0
    scene.live(0.875)
    assert scene.die() == 0.25


def test_a_process_that_dies_at_every_start_ends_the_service(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Within three minutes; the reason names it, and each death is in the log."""
    scene = Scene()
    while not scene.reasons:
        scene.live(0.0)
        scene.die()
    assert scene.reasons == [
        f"Sanic-Server-0-0 died {MAX_QUICK_DEATHS} times right after its start"
    ]
    assert len(scene.restarts) == MAX_QUICK_DEATHS - 1 == 29
    assert 120.0 < scene.now - 1000.0 < 180.0
    assert [record.message for record in caplog.records] == ["process_died"] * MAX_QUICK_DEATHS
    scene.pass_by(60.0, is_beating=False)
    assert (len(scene.reasons), len(scene.restarts)) == (1, 29)


def test_a_process_that_is_killed_every_three_seconds_for_an_hour_goes_on() -> None:
    """What lived for a while is restarted at once each time, and costs no budget."""
    scene = Scene()
    kills = 0
    while scene.now < 1000.0 + 3600.0:
        scene.live(3.0 - START_TAKES_SECONDS - 2 * LOOK_SECONDS)
        assert scene.die() == 0.0
        kills += 1
    assert scene.reasons == []
    assert scene.noted == len(scene.restarts) == kills > 1100


def test_a_long_life_gives_the_budget_back() -> None:
    """Quick deaths count until the process has been well for a minute."""
    scene = Scene()
    for _ in range(3):
        for _ in range(MAX_QUICK_DEATHS - 1):
            scene.live(0.0)
            scene.die()
        scene.live(FORGIVEN_SECONDS)
        scene.die()
    assert scene.reasons == []
    for _ in range(MAX_QUICK_DEATHS - 1):
        scene.live(0.0)
        scene.die()
        scene.live(FORGIVEN_SECONDS - 1.0)
        scene.die()
    assert scene.reasons == []
    scene.live(0.0)
    scene.die()
    assert len(scene.reasons) == 1


@pytest.mark.parametrize(
    ("beats", "limit_seconds"), [(True, WEDGED_SECONDS), (False, START_SECONDS)]
)
def test_a_process_without_a_heartbeat_is_killed(beats: bool, limit_seconds: float) -> None:
    """SIGKILL after ten silent seconds, or after a minute when it never showed one."""
    with sleeping_process() as child:
        scene = Scene(FakeProcess(pid=child.pid))
        if beats:
            scene.live(5.0)
        scene.pass_by(limit_seconds, is_beating=False)
        assert child.poll() is None
        scene.pass_by(LOOK_SECONDS, is_beating=False)
        assert child.wait(timeout=10) == -signal.SIGKILL


def test_silence_is_no_good_life() -> None:
    """A process that is wedged right after its start dies quickly, however long that took."""
    scene = Scene()
    scene.live(0.5)
    scene.pass_by(WEDGED_SECONDS + LOOK_SECONDS, is_beating=False)
    assert scene.die() == 0.25


def test_a_process_is_not_judged_by_the_heartbeat_of_the_one_before(scene: Scene) -> None:
    """The slot still shows the dead process until the new one takes it."""
    with sleeping_process() as child:
        scene.die()
        scene.process.pid, scene.process.alive = child.pid, True
        scene.pass_by(WEDGED_SECONDS + 1.0, is_beating=False)
        scene.head[Head.PID] = child.pid
        scene.head[Head.HEARTBEAT_NS] = 0  # it took the slot and did not beat yet
        scene.pass_by(WEDGED_SECONDS + 1.0, is_beating=False)
        assert child.poll() is None


def test_time_in_which_the_watchdog_did_not_look_is_forgiven() -> None:
    """A machine that was suspended, or starved for minutes, silenced the processes too."""
    with sleeping_process() as child:
        scene = Scene(FakeProcess(pid=child.pid))
        scene.live(5.0)
        for _ in range(8):  # each look is a minute late: eight seconds of silence
            scene.now += 60.0
            scene.watchdog.look()
        scene.pass_by(2.0, is_beating=False)
        assert child.poll() is None
        scene.pass_by(LOOK_SECONDS)
        scene.now += 3600.0
        scene.watchdog.look()
        scene.pass_by(WEDGED_SECONDS - 1.0, is_beating=False)
        assert child.poll() is None
        scene.pass_by(LOOK_SECONDS, is_beating=False)
        assert child.wait(timeout=10) == -signal.SIGKILL


def test_killing_a_wedged_process_that_just_ended_is_no_error(scene: Scene) -> None:
    """It is found dead by a later look."""
    scene.pass_by(WEDGED_SECONDS + 1.0, is_beating=False)
    scene.process.pid = None
    scene.pass_by(START_SECONDS + 1.0, is_beating=False)
    assert scene.reasons == []


def test_nothing_is_restarted_before_every_awaited_process_showed_a_heartbeat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Until then the worker manager guards the start itself."""
    monkeypatch.setattr(watchdog_module, "LOOK_SECONDS", 0.001)
    first, second, reloader = Scene(), Scene(), Scene(FakeProcess("Reloader", alive=False))
    reloader.watched.is_awaited = False
    restarts: list[str] = []
    watched = [first.watched, second.watched, reloader.watched]
    stop = Turns()
    watchdog = Watchdog(watched, stop, restarts.append, pytest.fail)
    first.show(1)
    thread = Thread(target=watchdog.run)
    thread.start()
    eventually(lambda: stop.turns > 5)
    assert (restarts, reloader.noted) == ([], 0)
    second.show(1)
    first.process.alive = False
    eventually(lambda: {"Sanic-Server-0-0", "Reloader"} <= set(restarts))
    stop.set()
    thread.join(timeout=10)
    assert not thread.is_alive()


def test_a_process_that_dies_before_it_came_up_ends_the_service() -> None:
    """The worker manager would wait for it for half a minute, and then kill more than its own."""
    stop = Turns()
    scene = Scene(FakeProcess(pid=None, alive=False), stop=stop)
    thread = Thread(target=scene.watchdog.run)
    thread.start()
    eventually(lambda: stop.turns > 1)
    assert scene.reasons == []  # it was not started yet
    scene.process.pid = NO_PROCESS
    thread.join(timeout=10)
    assert not thread.is_alive()
    assert scene.reasons == ["Sanic-Server-0-0 died before every worker came up"]
    assert scene.restarts == []


def test_a_watchdog_that_is_stopped_before_the_start_ends() -> None:
    """A signal during the start stops it at once."""
    scene = Scene()
    scene.stop.set()
    scene.watchdog.run()
    assert scene.restarts == []


def test_a_process_that_ends_because_the_service_stops_did_not_die(scene: Scene) -> None:
    """A look that has begun when the stop comes takes no end for a death."""

    class EndsByTheStop(FakeProcess):
        def is_alive(self) -> bool:
            scene.stop.set()
            return False

    scene.watched.process = EndsByTheStop()
    scene.pass_by(LOOK_SECONDS)
    assert (scene.noted, scene.restarts, scene.reasons) == (0, [], [])
