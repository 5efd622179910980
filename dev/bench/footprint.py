"""What the kernel counts for the processes of a running service, each by itself.

PSS counts a page that n processes map as 1/n of it, so the PSS of all processes together is what
they take. Segments lie in memory files that count once, however many processes map them: they are
left out here and counted by their size. See proc(5), smaps.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dev.bench.rounds import peak_bytes
from dev.bench.usage_service import Service

_BUILDER = b"offloader.service.builder.process"
_MAPPING = re.compile(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+\s*(.*)")
_SEGMENT = "/memfd:offloader-"
_LOOK_SECONDS = 0.002


@dataclass(frozen=True, slots=True)
class Own:
    """Bytes of one process without segments: `private` nobody else maps, `pss` is its share."""

    private: int
    pss: int


@dataclass(frozen=True, slots=True)
class Footprint:
    """The processes of one service."""

    main: Own
    reloader: Own
    workers: tuple[Own, ...]

    @property
    def together(self) -> int:
        """What all of them take, segments left out, in bytes."""
        return sum(own.pss for own in (self.main, self.reloader, *self.workers))


def footprint_of(service: Service) -> Footprint:
    """Look at every process once, all workers attached; raises OSError when one is gone."""
    workers = service.worker_pids()
    told = service.diagnostics()["processes"]
    main, reloader = (own_of(told[name]["pid"]) for name in ("main", "reloader"))
    return Footprint(main, reloader, tuple(map(own_of, workers)))


def own_of(pid: int) -> Own:
    """Read one process's memory from smaps, segments left out; raises OSError when it is gone."""
    private = pss = 0
    is_segment = False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        name, _, value = line.partition(":")
        if mapping := _MAPPING.fullmatch(line):
            is_segment = mapping[1].startswith(_SEGMENT)
        elif not is_segment and name in ("Private_Clean", "Private_Dirty", "Pss"):
            size_bytes = int(value.split()[0]) * 1024
            pss += size_bytes if name == "Pss" else 0
            private += size_bytes if name != "Pss" else 0
    return Own(private, pss)


class BuilderWatch:
    """The greatest resident size that any builder of one service, known by its cache, has had."""

    def __init__(self, cache: Path) -> None:
        self.peak_bytes = 0
        self._mark = f"OFFLOADER_CACHE_DIR={cache}\0".encode()

    def look(self) -> None:
        """Look at every builder process that there is now."""
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                is_builder = _BUILDER in (folder / "cmdline").read_bytes()
                if is_builder and self._mark in (folder / "environ").read_bytes():
                    self.peak_bytes = max(self.peak_bytes, peak_bytes(folder))


@contextmanager
def watching_builders(cache: Path) -> Iterator[BuilderWatch]:
    """Look at builders all the time until the block ends; the kernel keeps their peaks."""
    watch, over = BuilderWatch(cache), threading.Event()

    def look() -> None:
        while not over.wait(_LOOK_SECONDS):
            watch.look()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield watch
    finally:
        over.set()
        thread.join()
