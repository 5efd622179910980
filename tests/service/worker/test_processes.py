"""What is told of processes is what the kernel says of them."""

from __future__ import annotations

import os

from offloader.service.worker.processes import private_bytes, processes
from offloader.shared.control import Word
from offloader.shared.slots import Head
from tests.service.seen import seen


def test_this_process_as_a_worker() -> None:
    """Its age, its memory, its heartbeat, and what it is doing."""
    made = seen()
    made.beat(0)
    head = made.slots.head(0)
    head[Head.PID] = made.control[Word.MAIN_PID] = os.getpid()
    head[Head.CONNECTIONS], head[Head.IN_FLIGHT] = 3, 2
    shown = processes(made.view)
    worker = shown["workers"][0]
    assert worker["uptime_seconds"] > 0
    assert worker["private_bytes"] > 1 << 20
    assert 0 <= worker["heartbeat_age_seconds"] < 5
    assert (worker["attached_generation"], worker["is_attached"]) == (1, True)
    assert (worker["connections"], worker["in_flight"]) == (3, 2)
    assert shown["main"]["pid"] == os.getpid()
    assert shown["workers_attached"] == 1
    assert private_bytes(shown) == shown["main"]["private_bytes"] + worker["private_bytes"]


def test_a_process_that_is_not_there() -> None:
    """Null for what nobody knows: a slot without a process, a pid that is gone."""
    made = seen()
    made.slots.head(1)[Head.PID] = 2**22 + 1  # above what the kernel gives
    shown = processes(made.view)
    for worker in shown["workers"]:
        assert worker["uptime_seconds"] is worker["private_bytes"] is None
        assert worker["heartbeat_age_seconds"] is None
        assert worker["is_attached"] is False
    assert shown["reloader"] == {
        "pid": 0,
        "uptime_seconds": None,
        "private_bytes": None,
        "heartbeat_age_seconds": None,
    }
    assert private_bytes(shown) == 0
