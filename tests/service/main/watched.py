"""A process as the watchdog sees it, a clock, and what the watchdog asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Event

from offloader.service.main.watchdog import Watchdog, Watched
from offloader.shared.slots import Head
from tests.service.fake_worker import NO_PROCESS

LOOK_SECONDS = 0.125  # exact in binary
WEDGED_SECONDS = 10.0
START_TAKES_SECONDS = 0.5


@dataclass
class FakeProcess:
    """A process that lives while the test says so."""

    name: str = "Sanic-Server-0-0"
    pid: int | None = NO_PROCESS
    alive: bool = True

    @property
    def exitcode(self) -> int | None:
        """How it ended."""
        return None if self.alive else -9

    def is_alive(self) -> bool:
        """Tell whether it runs."""
        return self.alive


@dataclass
class Scene:
    """One watched process, a clock, and what the watchdog asked for."""

    process: FakeProcess = field(default_factory=FakeProcess)
    now: float = 1000.0
    restarts: list[float] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    noted: int = 0
    stop: Event = field(default_factory=Event)

    def __post_init__(self) -> None:
        self.head = memoryview(bytearray(64)).cast("Q")
        self.watched = Watched(self.process, self.head, self._note, WEDGED_SECONDS)
        self.watchdog = Watchdog(
            [self.watched], self.stop, self._restart, self.reasons.append, lambda: self.now
        )

    def _note(self) -> None:
        self.noted += 1

    def _restart(self, name: str) -> None:
        assert name == self.process.name
        self.restarts.append(self.now)

    def show(self, beat: int) -> None:
        """Show a heartbeat, as the process that runs."""
        assert self.process.pid is not None
        self.head[Head.PID] = self.process.pid
        self.head[Head.HEARTBEAT_NS] = beat

    def pass_by(self, seconds: float, *, is_beating: bool = True) -> None:
        """Let time pass, looking as the watchdog does, with a heartbeat at each look or none."""
        for _ in range(round(seconds / LOOK_SECONDS)):
            self.now += LOOK_SECONDS
            if is_beating:
                self.show(int(self.now * 1e9))
            self.watchdog.look()

    def live(self, seconds: float) -> None:
        """Come up, as a new process after a death, and live so long after the first heartbeat."""
        if not self.process.alive:
            self.process.pid = (self.process.pid or NO_PROCESS) + 1
        self.process.alive = True
        self.pass_by(START_TAKES_SECONDS, is_beating=False)
        self.pass_by(seconds + LOOK_SECONDS)

    def die(self) -> float:
        """Die; return the seconds from the look that saw it to the restart."""
        self.process.alive = False
        asked, seen_at = len(self.restarts), self.now + LOOK_SECONDS
        while len(self.restarts) == asked and not self.reasons:
            self.pass_by(LOOK_SECONDS, is_beating=False)
        return self.now - seen_at


class Turns(Event):
    """An event that counts how often it was waited for."""

    turns = 0

    def wait(self, timeout: float | None = None) -> bool:
        """Wait and count."""
        self.turns += 1
        return super().wait(timeout)
