"""Turns: one build at a time, but for those that only wait for their source.

Two builds at once would take twice the memory and finish no sooner. One that stands still takes
nothing, and must not hold the others up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition


def _do_nothing() -> None:
    return


class Turns:
    """Whose turn it is to build; `on_quiet` is called when a turn ends and nobody waits."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._is_taken = False
        self._waiting = 0
        self.on_quiet: Callable[[], None] = _do_nothing

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for a turn."""
        return self._waiting > 0

    @contextmanager
    def turn(self) -> Iterator[Callable[[], None]]:
        """Wait for a turn; the block may call what it is given to pass the turn on early."""
        with self._changed:
            self._waiting += 1
            self._changed.wait_for(lambda: not self._is_taken)
            self._waiting -= 1
            self._is_taken = True
        has_passed = False

        def pass_on() -> None:
            nonlocal has_passed
            with self._changed:
                if not has_passed:
                    has_passed, self._is_taken = True, False
                    self._changed.notify()

        try:
            yield pass_on
        finally:
            with self._changed:  # at once, else who is let in here would count as nobody
                pass_on()
                is_quiet = not self._waiting and not self._is_taken
            if is_quiet:
                self.on_quiet()
