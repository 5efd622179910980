"""What a run holds: processes, descriptors, memory files, threads, temporary files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from dev.faults.processes import command, descriptors, memory_files, threads, zombies
from tests.service_process import Running, marked

TEMPORARY_GLOB = ".*.tmp"
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Holdings:
    """Counts by kind. `worker_descriptors` adds up all workers."""

    processes: Mapping[str, int]
    zombies: Mapping[str, int]
    memory_files: Mapping[str, int]
    main_descriptors: Mapping[str, int]
    main_threads: Mapping[str, int]
    worker_descriptors: Mapping[str, int]
    temporary_files: Mapping[str, int]


def holdings(service: Running, cache: Path) -> Holdings:
    """Count what a run holds while nobody asks; close your own connections to it before."""
    pids = marked(service.mark)
    main = service.process.pid
    workers = service.worker_pids()
    return Holdings(
        processes=Counter(_NUMBER.sub("#", command(pid)) for pid in pids),
        zombies={"children of main": zombies(main)},
        memory_files=memory_files(pids),
        main_descriptors=descriptors(main),
        main_threads={"threads": threads(main)},
        worker_descriptors=sum(map(descriptors, workers), Counter()),
        temporary_files={"files": sum(1 for _ in cache.rglob(TEMPORARY_GLOB))},
    )


def leaks(before: Holdings, after: Holdings) -> list[str]:
    """Return what there is more of than before, each as `what: before -> after`."""
    found = []
    for field in fields(after):
        known, counted = getattr(before, field.name), getattr(after, field.name)
        for kind, count in counted.items():
            if count > known.get(kind, 0):
                found.append(f"{field.name}, {kind}: {known.get(kind, 0)} -> {count}")
    return found
