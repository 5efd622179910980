"""Rules of the watchdog: dead and wedged processes come back, but not for ever."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from threading import Event, Thread

import pytest

from offloader.service.main import watchdog as watchdog_module
from offloader.service.main.watchdog import (
    BUDGET_RESTARTS,
    BUDGET_SECONDS,
    MAX_PAUSE_SECONDS,
    WEDGED_SECONDS,
    Watchdog,
    Watched,
)
from offloader.shared.slots import Head
from tests.service.fake_worker import NO_PROCESS, sleeping_process
from tests.shared.descriptors import eventually


@dataclass
class FakeProcess:
    """A process that lives while the test says so."""

    name: str = "Sanic-Server-0-0"
    pid: int | None = NO_PROCESS
    alive: bool = True

    def is_alive(self) -> bool:
        """Tell whether it runs."""
        return self.alive


@dataclass
class Scene:
    """One watched process, a clock, and what the watchdog asked for."""

    process: FakeProcess = field(default_factory=FakeProcess)
    now: float = 1000.0
    restarts: list[tuple[float, str]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    noted: int = 0

    def __post_init__(self) -> None:
        self.head = memoryview(bytearray(64)).cast("Q")
        self.watched = Watched(self.process, self.head, self._note)
        self.watchdog = Watchdog(
            [self.watched],
            lambda name: self.restarts.append((self.now, name)),
            self.reasons.append,
            lambda: self.now,
        )

    def _note(self) -> None:
        self.noted += 1

    def look(self, at: float) -> None:
        """Look at a moment."""
        self.now = at
        self.watchdog.look(self.watched)

    def beat(self, at: float, pid: int) -> None:
        """Show a heartbeat."""
        self.head[Head.PID] = pid
        self.head[Head.HEARTBEAT_NS] = int(at * 1e9)

    def die_and_come_back(self) -> float:
        """Die, be restarted, run again; return the pause until the restart was asked for."""
        asked, died = len(self.restarts), self.now
        self.process.alive = False
        while len(self.restarts) == asked and not self.reasons:
            self.look(self.now + 0.2)
        self.process.alive = True
        self.look(self.now + 0.2)
        return round(self.now - 0.2 - died - 0.2, 1)


class Turns(Event):
    """An event that counts how often it was waited for."""

    turns = 0

    def wait(self, timeout: float | None = None) -> bool:
        """Wait and count."""
        self.turns += 1
        return super().wait(timeout)


@pytest.fixture
def scene() -> Scene:
    """A process that runs and showed a heartbeat a moment ago."""
    made = Scene()
    made.beat(1000.0, NO_PROCESS)
    return made


def test_a_process_that_runs_is_left_alone(scene: Scene) -> None:
    """Nothing is asked for and nothing counted."""
    for second in range(10):
        scene.beat(1000.0 + second, NO_PROCESS)
        scene.look(1000.0 + second)
    assert (scene.restarts, scene.reasons, scene.noted) == ([], [], 0)


def test_a_dead_process_is_restarted_by_name_after_a_pause(scene: Scene) -> None:
    """The first pause is 0.4 s; a death is noted once."""
    scene.process.alive = False
    for moment in (1000.0, 1000.2, 1000.39):
        scene.look(moment)
    assert scene.restarts == []
    scene.look(1000.41)
    assert scene.restarts == [(1000.41, "Sanic-Server-0-0")]
    assert scene.noted == 1


def test_a_restart_that_nothing_came_of_is_asked_for_again(scene: Scene) -> None:
    """After five seconds, and it is still the same death."""
    scene.process.alive = False
    for moment in (1000.0, 1000.5, 1001.0, 1005.4, 1005.6):
        scene.look(moment)
    assert [moment for moment, _ in scene.restarts] == [1000.5, 1005.6]
    assert scene.noted == 1


def test_pauses_grow_up_to_five_seconds(scene: Scene) -> None:
    """A process that dies at its start does not take all of the processor."""
    pauses = [scene.die_and_come_back() for _ in range(9)]
    assert pauses == [0.4, 0.6, 1.0, 1.4, 2.2, 3.2, 4.6, 5.0, 5.0]
    assert scene.noted == 9


def test_pauses_are_short_again_once_deaths_are_long_ago(scene: Scene) -> None:
    """Only the deaths of the budget's window count."""
    for _ in range(5):
        scene.die_and_come_back()
    scene.beat(scene.now + BUDGET_SECONDS, NO_PROCESS)
    scene.now += BUDGET_SECONDS + 1
    assert scene.die_and_come_back() == 0.4
    assert scene.reasons == []


def test_a_process_that_dies_at_every_start_spends_the_budget(scene: Scene) -> None:
    """Even at the longest pause the budget is spent within its window: then it ends."""
    scene.watched.deaths.clear()
    while not scene.reasons:
        scene.die_and_come_back()
        scene.now += 1.0  # what a start takes
        scene.beat(scene.now, NO_PROCESS)
        assert scene.now < 1000.0 + BUDGET_SECONDS
    assert scene.reasons == ["Sanic-Server-0-0 died 31 times in 300 seconds"]
    assert len(scene.restarts) == BUDGET_RESTARTS == 30


def test_the_budget_has_room_for_the_longest_pauses() -> None:
    """The constants fit one another: a budget that cannot be spent would end nothing."""
    assert BUDGET_RESTARTS * (MAX_PAUSE_SECONDS + 1.0) < BUDGET_SECONDS


def test_a_process_whose_heartbeat_stopped_is_killed() -> None:
    """A wedged process gets SIGKILL once it showed nothing for twenty seconds."""
    with sleeping_process() as child:
        scene = Scene(FakeProcess(pid=child.pid))
        scene.beat(1000.0, child.pid)
        scene.look(1000.0 + WEDGED_SECONDS)
        assert child.poll() is None
        scene.look(1000.1 + WEDGED_SECONDS)
        assert child.wait(timeout=10) == -signal.SIGKILL
        assert scene.head[Head.PID] == 0


def test_a_process_is_not_judged_by_the_heartbeat_of_the_one_before() -> None:
    """The slot still shows the dead process until the new one takes it."""
    with sleeping_process() as child:
        scene = Scene(FakeProcess(pid=child.pid))
        scene.beat(1.0, NO_PROCESS)
        scene.look(1000.0)
        scene.head[Head.PID] = child.pid
        scene.head[Head.HEARTBEAT_NS] = 0  # it took the slot and did not beat yet
        scene.look(1000.0)
        scene.process.pid = None
        scene.look(1000.0)
        assert child.poll() is None


def test_killing_a_wedged_process_that_just_ended_is_no_error(scene: Scene) -> None:
    """It is found dead by the next look."""
    scene.look(1100.0)
    assert scene.head[Head.PID] == 0
    assert scene.reasons == []


def test_nothing_is_restarted_before_every_awaited_process_showed_a_heartbeat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Until then the worker manager guards the start itself."""
    monkeypatch.setattr(watchdog_module, "LOOK_SECONDS", 0.001)
    first, second, reloader = Scene(), Scene(), Scene(FakeProcess("Reloader", alive=False))
    reloader.watched.is_awaited = False
    restarts: list[str] = []
    looks: list[float] = []

    def clock() -> float:
        looks.append(1000.0 + len(looks))
        return looks[-1]

    watched = [first.watched, second.watched, reloader.watched]
    stop = Turns()
    watchdog = Watchdog(watched, restarts.append, pytest.fail, clock)
    first.process.alive = False
    first.beat(1000.0, NO_PROCESS)
    thread = Thread(target=watchdog.run, args=(stop,))
    thread.start()
    eventually(lambda: stop.turns > 5)
    assert looks == []
    second.beat(1e9, NO_PROCESS)
    eventually(lambda: {"Sanic-Server-0-0", "Reloader"} <= set(restarts))
    stop.set()
    thread.join(timeout=10)
    assert not thread.is_alive()


def test_a_watchdog_that_is_stopped_before_the_start_ends() -> None:
    """A signal during the start stops it at once."""
    stop = Event()
    stop.set()
    scene = Scene()
    scene.watchdog.run(stop)
    assert scene.restarts == []
