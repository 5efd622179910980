"""Run a server as a process of its own: start it on a free port, wait until it answers, end it."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO

READY_SECONDS = 30.0
POLL_SECONDS = 0.02
STOP_SECONDS = 5.0
_STARTS = 5
# Linux: the kernel ends the server with the thread that started it, however that ends.
_END_WITH_PARENT = (
    "import ctypes, os, signal, sys;"
    " ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0);"
    " os.execvp(sys.argv[1], sys.argv[1:])"
)


@contextmanager
def running(
    command: Callable[[int], Sequence[str]], probe: str, environ: Mapping[str, str]
) -> Iterator[tuple[int, int]]:
    """Run what `command` returns for a port until the block ends; give (port, process id).

    It is ready when GET `probe` answers below 500. Another process may take the port before it
    does; then it is started again on another. It ends with the thread that began the block, at the
    latest. Raises RuntimeError with what the server printed.
    """
    with tempfile.TemporaryFile() as output:
        process, port = _start(command, probe, environ, output)
        try:
            yield port, process.pid
        finally:
            _stop(process)


def _start(
    command: Callable[[int], Sequence[str]],
    probe: str,
    environ: Mapping[str, str],
    output: IO[bytes],
) -> tuple[subprocess.Popen[bytes], int]:
    for _ in range(_STARTS):
        port = _free_port()
        process = subprocess.Popen(
            [sys.executable, "-c", _END_WITH_PARENT, *command(port)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **environ},
        )
        if _is_ready(process, port, probe):
            return process, port
        _stop(process)
    output.seek(0)
    said = output.read()[-2000:].decode(errors="replace")
    raise RuntimeError(f"{command(0)[0]} did not start, it said: {said}")


def _is_ready(process: subprocess.Popen[bytes], port: int, probe: str) -> bool:
    deadline = time.monotonic() + READY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if _answers(port, probe):
            return process.poll() is None
        time.sleep(POLL_SECONDS)
    return False


def _answers(port: int, probe: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", probe)
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port
