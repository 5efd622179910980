"""Time a warm start of the container image, from the engine's command to the first 200 of `/ready`.

The bundled example is served once, so that its segments are built; each round then starts a new
container on that volume. Beside it, in turns: the same service as a plain process on its own warm
cache, and a container of the same image that does nothing, which is the engine's share.

    python -m dev.bench.image_start [--image NAME] [--engine podman] [--rounds N] [--workers N]
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from secrets import token_hex

from dev.bench.rounds import in_turns, middle, spread
from dev.bench.usage_service import get, running, wait_for

READY_SECONDS = 3.0
START_LIMIT_SECONDS = 120.0
ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "dev" / "examples" / "customer-analytics"
_HARDENED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")


def main(argv: list[str] | None = None) -> int:
    """Print the times and the bound; return 1 when it is broken, 2 when nothing can be timed."""
    parser = argparse.ArgumentParser(description="Time a warm start of the container image.")
    parser.add_argument("--image", help="an image that exists; default: one built for this run")
    parser.add_argument("--engine", default="docker")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args(argv)
    if not _answers(arguments.engine):
        print(f"skipped: {arguments.engine} does not answer")
        return 0
    if not (PROJECT / "data" / "manifest.json").exists():
        print("the example has no data yet: run `make examples`")
        return 2
    with (
        tempfile.TemporaryDirectory() as folder,
        _image(arguments.engine, arguments.image) as image,
        _volume(arguments.engine) as volume,
    ):
        container = _Container(arguments.engine, image, volume, arguments.workers)
        return _measure(container, Path(folder) / "cache", arguments.rounds)


class _Container:
    """What is started over and over: one image on one volume."""

    def __init__(self, engine: str, image: str, volume: str, workers: int) -> None:
        self.engine = engine
        self.image = image
        self.volume = volume
        self.workers = workers

    def serve(self) -> float:
        """Start the service, and stop it; return the seconds until it was ready."""
        port, name = _free_port(), f"image-start-{token_hex(4)}"
        options = [
            *(*_HARDENED, "--name", name, "--publish", f"127.0.0.1:{port}:4001"),
            *("--volume", f"{self.volume}:/var/lib/offloader"),
            *("--volume", f"{PROJECT}:/project:ro", "--env", "OFFLOADER_CONFIG=/project"),
            *("--env", f"OFFLOADER_WORKERS={self.workers}", "--env", "OFFLOADER_DRAIN_SECONDS=0"),
        ]
        start = time.perf_counter()
        try:
            _run(self.engine, "run", "--detach", *options, self.image)
            wait_for(lambda: _is_ready(f"127.0.0.1:{port}"), START_LIMIT_SECONDS)
            seconds = time.perf_counter() - start
            _run(self.engine, "stop", name)
            return seconds
        finally:
            _run(self.engine, "rm", "--force", name)

    def nothing(self) -> float:
        """Run Python that ends at once; return the seconds the engine took for it."""
        start = time.perf_counter()
        command = ("--entrypoint", "python", self.image, "-ISc", "")
        _run(self.engine, "run", "--rm", *_HARDENED, *command)
        return time.perf_counter() - start


def _measure(container: _Container, cache: Path, rounds: int) -> int:
    cold_seconds, _ = container.serve(), _process(cache, container.workers)
    found = in_turns(
        {
            "image": container.serve,
            "process": lambda: _process(cache, container.workers),
            "nothing": container.nothing,
        },
        rounds,
    )
    image, process = found["image"], found["process"]
    print(f"{PROJECT.name}, {container.workers} workers, {rounds} rounds, to /ready")
    print(f"image, cold    {cold_seconds:8.3f} s  (with the build of its segments, once)")
    print(f"image, warm    {spread(image, 's')}, bound {READY_SECONDS:.3f} s")
    print(f"process, warm  {spread(process, 's')}")
    print(f"empty run      {spread(found['nothing'], 's')}  (the engine's share)")
    print(f"ratio          {middle(image) / middle(process):8.2f} x the plain process")
    return int(middle(image) > READY_SECONDS)


def _process(cache: Path, workers: int) -> float:
    """Start the service outside of any container, and stop it; return the seconds until ready."""
    start = time.perf_counter()
    with running(PROJECT, cache, workers, {"DRAIN_SECONDS": "0"}):
        return time.perf_counter() - start


@contextmanager
def _image(engine: str, given: str | None) -> Iterator[str]:
    if given:
        yield given
        return
    name = f"image-start-{token_hex(4)}"
    _run(engine, "build", "--quiet", "--tag", name, str(ROOT))
    try:
        yield name
    finally:
        _run(engine, "rmi", name)


@contextmanager
def _volume(engine: str) -> Iterator[str]:
    name = _run(engine, "volume", "create")
    try:
        yield name
    finally:
        _run(engine, "volume", "rm", "--force", name)


def _answers(engine: str) -> bool:
    with suppress(OSError, subprocess.SubprocessError):
        _run(engine, "info")
        return True
    return False


def _run(*command: str) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _is_ready(admin: str) -> bool:
    with suppress(OSError, HTTPException):
        return get(admin, "/ready")[0] == 200
    return False


if __name__ == "__main__":
    raise SystemExit(main())
