"""A port is held from the start, and nobody is let wait before it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from offloader.errors import StartError
from offloader.web.ports import bind, listen
from tests.projects import usage_project
from tests.service_process import running


def connects(port: int) -> bool:
    """Tell whether somebody listens; a port that neither accepts nor refuses fails the test."""
    with socket.socket() as client:
        client.settimeout(5)
        try:
            client.connect(("127.0.0.1", port))
        except ConnectionRefusedError:
            return False
        return True


def test_a_held_port_refuses_until_it_is_listened_on() -> None:
    """Any number of callers is refused at once; then they are accepted."""
    with bind("OFFLOADER_API_PORT", "127.0.0.1", 0) as held:
        port = held.getsockname()[1]
        assert [connects(port) for _ in range(3)] == [False] * 3
        listen(held)
        assert [connects(port) for _ in range(3)] == [True] * 3


@pytest.mark.parametrize("is_listening", [False, True])
def test_a_held_port_is_nobody_elses(*, is_listening: bool) -> None:
    """Another instance is refused it by name, whether this one serves yet or only starts."""
    with bind("OFFLOADER_API_PORT", "127.0.0.1", 0) as held:
        if is_listening:
            listen(held)
        with pytest.raises(StartError) as told:
            bind("OFFLOADER_ADMIN_PORT", "127.0.0.1", held.getsockname()[1])
    assert told.value.code == "port_in_use"
    assert "OFFLOADER_ADMIN_PORT" in told.value.hint


def test_a_port_with_old_connections_is_taken_over() -> None:
    """What is left of the instance before, open or lingering, keeps nobody from listening."""
    with socket.create_server(("127.0.0.1", 0)) as before:
        address = before.getsockname()
        with socket.create_connection(address), socket.create_connection(address) as ended:
            open_one, lingering = before.accept()[0], before.accept()[0]
            before.close()
            lingering.close()  # this side ends it, so it lingers here
            assert ended.recv(1) == b""
            ended.close()
            with open_one, bind("OFFLOADER_API_PORT", *address) as held:
                assert not connects(address[1])
                listen(held)
                assert connects(address[1])


def test_who_is_told_that_it_lives_is_not_refused(tmp_path: Path) -> None:
    """When the admin port answers for the first time the API port takes connections."""
    project = usage_project(tmp_path / "project", rows=10)
    with running(project.root, tmp_path / "cache", until="started") as service:
        service.wait(service.is_live)
        assert connects(service.api[1])
