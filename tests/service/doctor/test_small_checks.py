"""Ports, clock, packages, and looks that may hang."""

from __future__ import annotations

import socket
import threading
import time
from importlib.metadata import PackageNotFoundError

import pytest

from offloader.service.doctor.clock import check_clock
from offloader.service.doctor.packages import check_packages, installed
from offloader.service.doctor.ports import check_port
from offloader.service.doctor.within import run_within

NOW = 1_800_000_000.0


def test_a_port_is_free_ours_or_taken() -> None:
    """What listens there is fine only when it is the instance that was asked."""
    host = "127.7.0.1"  # where nobody else takes the port once it is free
    with socket.create_server((host, 0)) as server:
        port = server.getsockname()[1]
        ours = check_port("OFFLOADER_API_PORT", host, port, is_ours=True)
        assert (ours.verdict, ours.message) == ("ok", "used by the instance that was asked")
        taken = check_port("OFFLOADER_API_PORT", host, port, is_ours=False)
        assert (taken.verdict, taken.code) == ("failed", "port_in_use")
        assert taken.hint == "stop what uses it, or set OFFLOADER_API_PORT to another port"
    free = check_port("OFFLOADER_API_PORT", host, port, is_ours=False)
    assert (free.verdict, free.message) == ("ok", "free")


def test_a_port_that_is_not_to_be_had() -> None:
    """A host of another machine is refused; port 0 is chosen later."""
    found = check_port("OFFLOADER_ADMIN_PORT", "192.0.2.1", 4001, is_ours=False)
    assert (found.verdict, found.code) == ("failed", "port_not_allowed")
    assert found.message == "the port cannot be used (EADDRNOTAVAIL)"
    assert check_port("OFFLOADER_ADMIN_PORT", "0.0.0.0", 0, is_ours=False).verdict == "ok"


def test_no_time_of_others_lies_in_the_future() -> None:
    """A minute is tolerated; beyond, the one that is furthest ahead is named."""
    assert check_clock(NOW, {}).message == "nobody else's clock is there to compare it with"
    assert check_clock(NOW, {"a": NOW + 60, "b": NOW - 9e6}).verdict == "ok"
    found = check_clock(NOW, {"a": NOW + 61, "the manifest of usage": NOW + 3600, "c": NOW})
    assert (found.verdict, found.code) == ("warning", "clock_behind")
    assert found.message.startswith("the manifest of usage is 3600 seconds in the future")


def test_packages_that_are_needed() -> None:
    """Those of extras are not; one that is missing is named."""

    def find(name: str) -> str:
        if name == "sanic":
            raise PackageNotFoundError(name)
        return "2.1"

    wanted = ["numpy<3,>=2.1", "sanic==25.12", 'pytest>=8; extra == "dev"']
    found = installed(wanted, find)
    assert found == {"numpy": "2.1", "sanic": ""}
    (missing,) = check_packages(found)
    assert (missing.verdict, missing.code) == ("failed", "package_missing")
    assert missing.message == "the package sanic is not installed"
    (well,) = check_packages(installed())
    assert well.verdict == "ok"
    assert ", numpy 2." in well.message


def test_what_hangs_is_left_behind() -> None:
    """The others are told all the same, errors too, and nobody waits beyond the deadline."""
    hang = threading.Event()
    looks = {"hangs": lambda: hang.wait(60.0), "breaks": lambda: 1 // 0, "works": lambda: True}
    began = time.monotonic()
    try:
        found = run_within(looks, 2.0, 3)
    finally:
        hang.set()
    assert time.monotonic() - began < 20.0
    assert (found["hangs"], found["works"]) == (None, True)
    assert isinstance(found["breaks"], ZeroDivisionError)


@pytest.mark.parametrize("at_once", [1, 2, 8])
def test_as_many_run_at_once_as_are_allowed(at_once: int) -> None:
    """All are run; each waits for as many others as may run beside it, and never sees more."""
    together, inside, most = threading.Barrier(at_once), [0], [0]
    lock = threading.Lock()

    def look() -> int:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        together.wait(60.0)
        with lock:
            inside[0] -= 1
        together.wait(60.0)
        return 1

    found = run_within(dict.fromkeys(range(16), look), 60.0, at_once)
    assert list(found.values()) == [1] * 16
    assert most[0] == at_once
