"""What main owns: control block, slots, generations, and the socket that hands them out."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offloader.errors import OutOfMemoryBudget
from offloader.service import log
from offloader.service.cache import Cache
from offloader.service.main.attach_server import AttachServer
from offloader.service.main.generations import Generations
from offloader.service.main.part_store import DamagedPart, damaged_parts
from offloader.service.main.warm_start import warm_document
from offloader.service.project import Project
from offloader.service.quarantine import put_away
from offloader.service.state import Saved, load_state
from offloader.settings.settings import Settings
from offloader.shared.control import ControlBlock, Word
from offloader.shared.slots import Slots


@dataclass(frozen=True, slots=True, eq=False)
class MainMemory:
    """Everything main holds for others; `server` is not started yet."""

    control: ControlBlock
    slots: Slots
    server: AttachServer


def load_first_generation(
    settings: Settings,
    project: Project,
    cache: Cache,
    state: Path,
    available_bytes: Callable[[], int],
) -> MainMemory:
    """Load, verify and commit what the cache holds; what is cold or damaged is built later.

    `state` is the instance's state file; `available_bytes` tells what memory is still to be had.
    """
    control = ControlBlock()
    control[Word.WORKERS] = settings.workers
    control[Word.MAIN_PID] = os.getpid()
    control[Word.STARTED_AT_US] = int(time.time() * 1e6)
    control[Word.LIMIT_BYTES] = settings.memory_limit_bytes
    slots = Slots(settings.workers)
    limit_bytes = settings.memory_limit_bytes
    generations = Generations(cache, control, limit_bytes, time.time, available_bytes)
    began = time.monotonic()
    datasets = _commit_first(generations, cache, project, load_state(state))
    if datasets:
        log.event(
            "segments_loaded",
            datasets=datasets,
            bytes=control[Word.SHARED_BYTES] + control[Word.MAPPED_BYTES],
            seconds=round(time.monotonic() - began, 3),
        )
    return MainMemory(control, slots, AttachServer(generations, control, slots))


def _commit_first(generations: Generations, cache: Cache, project: Project, saved: Saved) -> int:
    """Commit what is cached, without what is damaged or cannot be loaded; return how many."""
    without: set[str] = set()
    while True:
        document = warm_document(cache, project, saved, without)
        entries = document["snapshots"]
        try:
            generations.commit(generations.prepare(document))
            return len(entries)
        except DamagedPart as error:
            _quarantine(cache, error)
            # Its other parts too: found one swap at a time, they would hold the dataset up.
            for other in damaged_parts(cache, error.dataset, entries[error.dataset]["parts"]):
                _quarantine(cache, other)
        except (OutOfMemoryBudget, OSError) as error:
            if not entries:
                raise
            without.add(_largest(cache, entries))
            log.error(
                "segment_not_loaded",
                dataset=_largest(cache, entries),
                message=str(error),
                hint="give the container more memory",
            )


def _quarantine(cache: Cache, damaged: DamagedPart) -> None:
    put_away(cache, damaged.dataset, [damaged.part_id], damaged.message, time.time())
    log.error("part_quarantined", dataset=damaged.dataset, reason=damaged.message)


def _largest(cache: Cache, entries: Mapping[str, Any]) -> str:
    """Return the dataset without which the most others can be served."""
    return max(sorted(entries), key=lambda name: _file_bytes(cache, name, entries[name]["parts"]))


def _file_bytes(cache: Cache, dataset: str, part_ids: list[str]) -> int:
    try:
        return sum(cache.part(dataset, part_id).stat().st_size for part_id in part_ids)
    except OSError:
        return 0
