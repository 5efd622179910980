"""What `make faults` prints and exits with, and what it counts."""

from __future__ import annotations

import os
import socket
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from dev.faults.__main__ import main
from dev.faults.held_file import held, why_not_held
from dev.faults.holdings import Holdings, leaks
from dev.faults.outcome import Bound, Outcome, at_most, exit_code, none_of
from dev.faults.processes import owners
from tests.service_process import wait_until


def test_a_broken_bound_is_shown_and_fails() -> None:
    """The line marks the figure, says why below it, and the exit code is 1."""
    bounds = (none_of("failed", 0), at_most("back after", 6.0, 5.0, "s"))
    broken = Outcome("kills", bounds, ("12 swaps",), ("s2: 503",))
    assert broken.lines() == [
        f"{'kills':<34} BROKEN  0 failed, ** back after 6 s (bound 5) **, 12 swaps",
        "    s2: 503",
    ]
    fine = Outcome("swaps", (Bound("3 swaps", True),), why=("nothing",))
    assert fine.lines() == [f"{'swaps':<34} ok      3 swaps"]
    assert exit_code([fine]) == 0
    assert exit_code([fine, broken]) == 1


def test_an_unknown_scenario_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    """The error lists the ones there are."""
    with pytest.raises(SystemExit) as ended:
        main(["swap"])
    assert ended.value.code == 2
    message = "no scenario swap: choose from swaps, kills, container, config, table"
    assert message in capsys.readouterr().err


def test_only_more_than_before_is_a_leak() -> None:
    """Each kind that grew is named with both counts."""
    before = Holdings(
        processes={"main": 1},
        zombies={},
        memory_files={"segment": 2},
        main_descriptors={"socket": 5},
        main_threads={"threads": 3},
        worker_descriptors={},
        temporary_files={"files": 0},
    )
    more = {"memory_files": {"segment": 3}, "worker_descriptors": {"pipe": 1}}
    after = replace(before, **more, main_descriptors={"socket": 4})
    assert leaks(before, after) == [
        "memory_files, segment: 2 -> 3",
        "worker_descriptors, pipe: 0 -> 1",
    ]
    assert leaks(before, before) == []


def test_a_connection_belongs_to_the_process_that_accepted_it() -> None:
    """The client's port leads to the server's descriptor; unaccepted ones are nobody's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        with (
            socket.create_connection(address) as first,
            server.accept()[0],
            socket.create_connection(address) as second,
        ):
            ports = [first.getsockname()[1], second.getsockname()[1]]
            assert owners(ports, address[1], [os.getpid()]) == {ports[0]: os.getpid()}


def test_a_held_file_makes_its_reader_wait(tmp_path: Path) -> None:
    """Who opens it is seen to want it, and reads what was changed meanwhile."""
    if why_not := why_not_held(tmp_path):
        pytest.skip(why_not)
    path = tmp_path / "held"
    path.write_bytes(b"\x00\x00\x00")
    found: Counter[bytes] = Counter()
    with held(path) as file:
        assert not file.is_wanted()
        reader = threading.Thread(target=lambda: found.update([path.read_bytes()]), daemon=True)
        reader.start()
        wait_until(file.is_wanted, 10.0, lambda: "nobody opened it")
        file.flip()
        assert not found
    reader.join(10.0)
    assert found == {b"\x00\xff\x00": 1}
