"""Time a swap from sealed segments to the last worker that serves them.

Real processes: this one is main, each worker attaches over main's socket as the service's do. Of
many datasets one changes. In turns with it run a changed project over the same segments (all
contracts parsed), and the first swap with nothing taken over from the generation before (all
contracts parsed, all segments opened, all plans compiled and tried).

    python -m dev.bench.swap_speed [--workers N] [--datasets N] [--rows N] [--rounds N]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from dev.bench.rounds import in_turns, middle, spread
from dev.bench.swap_project import SwapProject, make_project
from offloader.service.generation_document import Document
from offloader.service.main.attach_server import AttachServer
from offloader.service.main.generations import Generations
from offloader.shared.control import ControlBlock, Word
from offloader.shared.slots import Slots

LIMIT_MS = 100.0
_MEMORY_BYTES = 8 << 30
_WAIT_SECONDS = 120.0
_STORES = 10_000


@dataclass(frozen=True, slots=True)
class Swap:
    """Milliseconds of one swap, each since the call of prepare."""

    prepared: float
    acknowledged: float
    committed: float
    served: float


class Main:
    """Main's side, and the workers' pipes."""

    def __init__(self, project: SwapProject, workers: int) -> None:
        self.control = ControlBlock()
        slots = Slots(workers)
        self.generations = Generations(project.cache, self.control, _MEMORY_BYTES, time.time)
        self.server = AttachServer(self.generations, self.control, slots)
        self.workers: list[subprocess.Popen[str]] = []

    def swap(self, document: Document) -> Swap:
        """Have a generation served and wait until every worker serves it."""
        start = time.monotonic_ns()
        number = self.generations.prepare(document)
        prepared = time.monotonic_ns()
        why_not = self.generations.await_workers(number, _WAIT_SECONDS)
        if why_not:
            raise RuntimeError(why_not)
        acknowledged = time.monotonic_ns()
        self.generations.commit(number, _WAIT_SECONDS)
        committed = time.monotonic_ns()
        served = max(self.seen(worker, number) for worker in self.workers)
        times = (prepared, acknowledged, committed, served)
        return Swap(*((moment - start) / 1e6 for moment in times))

    def seen(self, worker: subprocess.Popen[str], number: int) -> int:
        """Wait until a worker serves a generation; return when it saw it first, in nanoseconds."""
        assert worker.stdout is not None
        while True:
            seen, moment = worker.stdout.readline().split()
            if int(seen) == number:
                return int(moment)


def main(argv: list[str] | None = None) -> int:
    """Print the times and the ratio; return 1 when the limit is broken."""
    parser = argparse.ArgumentParser(description="Time swaps over many workers.")
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--datasets", type=int, default=50)
    parser.add_argument("--rows", type=int, default=5000, help="rows of a dataset")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--folder", help="where the files go; default: the temporary folder")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        project = make_project(Path(folder) / "cache", arguments.datasets, arguments.rows)
        with _running(project, Path(folder), arguments.workers) as (main, switch):
            _describe(project, main)

            turns = count(1)

            def way(make: Callable[[int], Document], *, is_anew: bool = False) -> Swap:
                os.pwrite(switch, bytes([is_anew]), 0)
                return main.swap(make(next(turns)))

            ways = {
                "swap": lambda: way(project.swapped),
                "project": lambda: way(project.relabelled),
                "anew": lambda: way(project.swapped, is_anew=True),
            }
            in_turns(ways, 1)  # the first touch of everything is not measured
            return _report(in_turns(ways, arguments.rounds), main)


@contextmanager
def _running(project: SwapProject, folder: Path, workers: int) -> Iterator[tuple[Main, int]]:
    """Start the workers; give main, and the file whose first byte switches their way."""
    main, switch = Main(project, workers), folder / "switch"
    switch.write_bytes(b"\0")
    descriptor = os.open(switch, os.O_WRONLY)
    number = main.generations.prepare(project.swapped(0))
    main.generations.commit(number)
    main.server.start()
    for worker in range(workers):
        module = ["-m", "dev.bench.swap_worker"]
        command = [sys.executable, *module, main.server.address, str(worker), str(switch)]
        main.workers.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    try:
        for one in main.workers:
            main.seen(one, number)
        yield main, descriptor
    finally:
        for one in main.workers:
            one.kill()
            one.communicate()
        main.server.close()
        os.close(descriptor)


def _describe(project: SwapProject, main: Main) -> None:
    parts = sum(len(entry["parts"]) for entry in project.entries.values())
    endpoints = len(project.documents["endpoints"])
    print(
        f"{len(main.workers)} workers, {len(project.entries)} datasets in {parts} parts,"
        f" {endpoints} endpoints; {main.control[Word.SHARED_BYTES] / 1e6:.1f} MB of segments"
    )
    pids = (os.getpid(), main.workers[0].pid)
    held = [len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids]
    print(f"descriptors        {held[0]:6d} in main, {held[1]} in a worker")


def _report(found: Mapping[str, list[Swap]], main: Main) -> int:
    swaps = found["swap"]
    served = [swap.served for swap in swaps]
    is_met = middle(served) <= LIMIT_MS
    print(f"sealed and offered {spread([swap.prepared for swap in swaps], 'ms')}")
    print(f"all acknowledged   {spread([swap.acknowledged for swap in swaps], 'ms')}")
    print(f"commit returned    {spread([swap.committed for swap in swaps], 'ms')}")
    verdict = "met" if is_met else "broken"
    print(f"served by all      {spread(served, 'ms')}, limit {LIMIT_MS:g} ms: {verdict}")
    print(f"commit, the store  {_store_us(main.control):8.3f} us")
    print(f"changed project    {spread([swap.served for swap in found['project']], 'ms')}")
    peer = [swap.served for swap in found["anew"]]
    print(f"all made anew      {spread(peer, 'ms')}")
    print(f"ratio              {middle(served) / middle(peer):8.2f} x all made anew")
    return int(not is_met)


def _store_us(control: ControlBlock) -> float:
    """Return the microseconds of the one store that makes a generation the served one."""
    number = control.generation()
    start = time.perf_counter_ns()
    for _ in range(_STORES):
        control[Word.GENERATION] = number
    return (time.perf_counter_ns() - start) / 1e3 / _STORES


if __name__ == "__main__":
    raise SystemExit(main())
