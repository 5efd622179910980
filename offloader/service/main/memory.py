"""What main owns: control block, slots, generations, and the socket that hands them out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from offloader.errors import OutOfMemoryBudget
from offloader.service import log
from offloader.service.cache import Cache
from offloader.service.generation_document import cached_entries
from offloader.service.main.attach_server import AttachServer
from offloader.service.main.generations import Generations
from offloader.service.main.part_store import DamagedPart, damaged_parts
from offloader.service.project import Project
from offloader.service.state import load_state
from offloader.settings.settings import Settings
from offloader.shared.control import ControlBlock, Word
from offloader.shared.slots import Slots


@dataclass(frozen=True, slots=True, eq=False)
class MainMemory:
    """Everything main holds for others; `server` is not started yet."""

    control: ControlBlock
    slots: Slots
    server: AttachServer


def load_first_generation(settings: Settings, project: Project, cache: Cache) -> MainMemory:
    """Load, verify and commit what the cache holds; what is cold or damaged is built later."""
    control = ControlBlock()
    control[Word.WORKERS] = settings.workers
    control[Word.STARTED_AT_US] = int(time.time() * 1e6)
    control[Word.LIMIT_BYTES] = settings.memory_limit_bytes
    slots = Slots(settings.workers)
    generations = Generations(cache, control, settings.memory_limit_bytes, time.time)
    entries = cached_entries(cache, project.catalog, load_state(cache))
    began = time.monotonic()
    _commit_first(generations, cache, project, entries)
    if entries:
        log.event(
            "segments_loaded",
            datasets=len(entries),
            bytes=control[Word.SHARED_BYTES],
            seconds=round(time.monotonic() - began, 3),
        )
    return MainMemory(control, slots, AttachServer(generations, control, slots))


def _commit_first(
    generations: Generations, cache: Cache, project: Project, entries: Mapping[str, Any]
) -> None:
    """Commit the cached entries, without those that are damaged or do not fit."""
    wanted = dict(entries)
    while True:
        try:
            document = {"documents": project.documents, "snapshots": wanted}
            generations.commit(generations.prepare(document))
            return
        except DamagedPart as error:
            _quarantine(cache, error)
            # Its other parts too: found one swap at a time, they would hold the dataset up.
            for other in damaged_parts(cache, error.dataset, wanted.pop(error.dataset)["parts"]):
                _quarantine(cache, other)
        except OutOfMemoryBudget as error:
            _leave_out_largest(cache, wanted, error.message, error.hint)
        except OSError as error:
            if not wanted:
                raise
            hint = "give the container more memory"
            _leave_out_largest(cache, wanted, f"memory is not to be had: {error}", hint)


def _quarantine(cache: Cache, damaged: DamagedPart) -> None:
    cache.quarantine(damaged.dataset, damaged.part_id, damaged.message, time.time())
    log.error("part_quarantined", dataset=damaged.dataset, reason=damaged.message)


def _leave_out_largest(cache: Cache, wanted: dict[str, Any], message: str, hint: str) -> None:
    """Leave out the dataset without which the most others can be served."""
    name = max(sorted(wanted), key=lambda name: _file_bytes(cache, name, wanted[name]["parts"]))
    log.error("segment_not_loaded", dataset=name, message=message, hint=hint)
    del wanted[name]


def _file_bytes(cache: Cache, dataset: str, part_ids: list[str]) -> int:
    try:
        return sum(cache.part(dataset, part_id).stat().st_size for part_id in part_ids)
    except OSError:
        return 0
