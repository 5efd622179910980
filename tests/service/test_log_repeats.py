"""What repeats is written once in ten seconds, and no occurrence is lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from offloader.service.log_repeats import WINDOW_SECONDS, Repeats


@dataclass(slots=True, eq=False)
class World:
    """A clock, a timer that rings by it, and what was written: each with what it stands for."""

    max_kinds: int = 100
    has_threads: bool = True
    now: float = 0.0
    timer: tuple[float, Callable[[], None]] | None = None
    written: list[tuple[str, int]] = field(default_factory=list)
    repeats: Repeats[str] = field(init=False)

    def __post_init__(self) -> None:
        self.repeats = Repeats(
            lambda what, count: self.written.append((what, count)),
            clock=lambda: self.now,
            start=self.start,
            max_kinds=self.max_kinds,
        )

    def start(self, seconds: float, work: Callable[[], None]) -> None:
        assert self.timer is None, "one thread at a time"
        if not self.has_threads:
            raise RuntimeError("can't start new thread")
        self.timer = self.now + seconds, work

    def happen(self, kind: str, what: str) -> None:
        if self.repeats.is_first(kind, what):
            self.written.append((what, 1))

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while self.timer is not None and self.timer[0] <= until:
            (self.now, work), self.timer = self.timer, None
            work()
        self.now = until


def test_the_first_is_written_at_once_and_the_last_stands_for_the_others() -> None:
    """A store that fails eight times a second is one line, then one line each ten seconds."""
    world = World()
    for number in range(200):
        world.happen("store", f"{number}")
        world.wait(0.125)
    assert world.written == [("0", 1), ("79", 79), ("159", 80)]
    world.wait(100)
    assert world.written[3:] == [("199", 40)]


def test_what_differs_is_written_at_once() -> None:
    """Each kind has its own window, whatever the others do."""
    world = World()
    for kind in ("a", "a", "b", "a", "c", "b"):
        world.happen(kind, kind)
        world.wait(1)
    assert world.written == [("a", 1), ("b", 1), ("c", 1)]
    world.wait(20)
    assert world.written[3:] == [("a", 2), ("b", 1)]


def test_what_comes_again_later_is_a_first_one() -> None:
    """When a window ends in which nothing was counted, the kind is forgotten."""
    world = World()
    world.happen("a", "1")
    world.wait(WINDOW_SECONDS)
    world.happen("a", "2")
    assert world.written == [("1", 1), ("2", 1)]


def test_there_are_only_so_many_kinds() -> None:
    """The oldest makes room, and what was counted of it is written then."""
    world = World(max_kinds=2)
    for kind in ("a", "a", "b", "c"):
        world.happen(kind, kind)
    assert world.written == [("a", 1), ("b", 1), ("a", 1), ("c", 1)]
    world.happen("a", "again")
    assert world.written[-1] == ("again", 1)


def test_a_flush_writes_what_was_counted() -> None:
    """Once: a timer that rings afterwards finds nothing."""
    world = World()
    for what in ("1", "2", "3"):
        world.happen("a", what)
    world.repeats.flush()
    world.wait(100)
    assert world.written == [("1", 1), ("3", 2)]


def test_without_a_thread_it_only_counts_longer() -> None:
    """The next one tries to have a thread; nothing is written twice, nothing is lost."""
    world = World(has_threads=False)
    for number in range(3):
        world.happen("a", f"{number}")
        world.wait(20)
    assert world.written == [("0", 1), ("1", 1), ("2", 1)]
    for number in range(3, 6):
        world.happen("a", f"{number}")
    world.has_threads = True
    world.happen("a", "6")
    world.wait(20)
    assert world.written[3:] == [("3", 1), ("6", 3)]


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([0.0, 0.1, 3.0, 9.9, 10.0, 25.0]))),
    st.integers(1, 4),
)
def test_nothing_is_ever_lost(happened: list[tuple[str, float]], max_kinds: int) -> None:
    """Of each kind, lines and counts add up to what happened, and the first is always a line."""
    world = World(max_kinds=max_kinds)
    seen: set[str] = set()
    for kind, pause in happened:
        before = len(world.written)
        world.happen(kind, kind)
        if kind not in seen:
            assert (kind, 1) in world.written[before:]
        seen.add(kind)
        world.wait(pause)
    world.repeats.flush()
    for kind in "abcd":
        told = sum(count for what, count in world.written if what == kind)
        assert told == sum(1 for one, _ in happened if one == kind)
