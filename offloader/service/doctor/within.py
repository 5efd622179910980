"""Run looks at things that may hang, side by side, and wait for none longer than is allowed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

Seen = TypeVar("Seen")
Name = TypeVar("Name")


def run_within(
    looks: Mapping[Name, Callable[[], Seen]], seconds: float, at_once: int
) -> dict[Name, Seen | BaseException | None]:
    """Return what each look returned or raised, None of one that was not done in time.

    At most `at_once` run side by side. One that hangs is left behind: its thread keeps neither
    this function nor the end of the process waiting.
    """
    todo: SimpleQueue[Name] = SimpleQueue()
    done: SimpleQueue[tuple[Name, Seen | BaseException]] = SimpleQueue()
    for name in looks:
        todo.put(name)

    def work() -> None:
        while True:
            try:
                name = todo.get_nowait()
            except Empty:
                return
            try:
                done.put((name, looks[name]()))
            except BaseException as error:
                done.put((name, error))

    for _ in range(min(at_once, len(looks))):
        Thread(target=work, daemon=True).start()
    return _collected(dict.fromkeys(looks), done, time.monotonic() + seconds)


def _collected(
    found: dict[Name, Seen | BaseException | None],
    done: SimpleQueue[tuple[Name, Seen | BaseException]],
    deadline: float,
) -> dict[Name, Seen | BaseException | None]:
    for _ in range(len(found)):
        try:
            name, seen = done.get(timeout=max(0.0, deadline - time.monotonic()))
        except Empty:
            break
        found[name] = seen
    return found
