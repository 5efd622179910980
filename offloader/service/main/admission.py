"""Admission: which datasets lie in shared memory and which are mapped from the cache's files.

What there is room for is loaded. Else parts of previous snapshots make room first. Of the datasets
that still do not fit together the smallest are loaded and the others mapped: so the most datasets
lie in memory that is theirs, and of a large one the page cache keeps the pages that are read.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from offloader.service.generation_document import Document, part_keys
from offloader.service.main.part_store import PartName, PartStore

Place = Literal["shared", "page_cache"]
# The kernel has less than it said: the file itself can still be served.
_NO_MEMORY = (errno.ENOMEM, errno.ENOSPC)


@dataclass(slots=True, eq=False)
class Admitted:
    """The parts of a generation as they lie: `keys` and `memory` are by dataset.

    `mapped` are the bytes that are mapped from files, of datasets that have such.
    """

    keys: dict[str, list[str]] = field(default_factory=dict)
    memory: dict[str, Place] = field(default_factory=dict)
    mapped: dict[str, int] = field(default_factory=dict)


def wanted_parts(document: Document) -> dict[str, list[PartName]]:
    """Return the parts that a generation's document asks for, by dataset."""
    return {
        dataset: [
            PartName(dataset, part_id, key)
            for part_id, key in zip(entry["parts"], part_keys(entry), strict=True)
        ]
        for dataset, entry in document["snapshots"].items()
    }


def choose(missing_bytes: Mapping[str, int], room_bytes: int) -> set[str]:
    """Return the datasets to load: as many as fit the room, the smallest first."""
    chosen = set()
    for name in sorted(missing_bytes, key=lambda name: (missing_bytes[name], name)):
        room_bytes -= missing_bytes[name]
        if room_bytes < 0:
            break
        chosen.add(name)
    return chosen


def admit(
    store: PartStore,
    wanted: Mapping[str, Sequence[PartName]],
    staying: Collection[str],
    reserve_bytes: int,
    make_room: Callable[[int], None],
) -> Admitted:
    """Have every wanted part in the store, in shared memory where there is room.

    `staying` datasets are not moved into memory now. `make_room` drops parts that nobody reads,
    of which there are `reserve_bytes`, until so many bytes are free or nothing is left to drop.
    Raises DamagedPart, OutOfMemoryBudget and OSError; what was loaded until then is in the store.
    """
    missing = {name: store.missing_bytes(parts) for name, parts in wanted.items()}
    movable = {name: size for name, size in missing.items() if not size or name not in staying}
    chosen = choose(movable, store.room_bytes() + reserve_bytes)
    make_room(sum(missing[name] for name in chosen))
    chosen = choose({name: missing[name] for name in chosen}, store.room_bytes())
    admitted = Admitted()
    for name, parts in wanted.items():
        _place(store, admitted, name, parts, in_memory=name in chosen)
    return admitted


def _place(
    store: PartStore,
    admitted: Admitted,
    name: str,
    parts: Sequence[PartName],
    *,
    in_memory: bool,
) -> None:
    if in_memory and _load(store, parts):
        admitted.keys[name] = [part.key for part in parts]
        admitted.memory[name] = "shared"
        return
    # What is in memory already stays there; the rest of the dataset is mapped.
    keys = [part.key if part.key in store else store.map(part).key for part in parts]
    admitted.keys[name] = keys
    admitted.memory[name] = "page_cache"
    admitted.mapped[name] = store.size_bytes("page_cache", keys)


def _load(store: PartStore, parts: Sequence[PartName]) -> bool:
    """Load a dataset whole; False, with nothing of it loaded, when memory is not to be had."""
    new = [part for part in parts if part.key not in store]
    try:
        for part in new:
            store.load(part)
    except OSError as error:
        if error.errno not in _NO_MEMORY:
            raise
        store.drop(part.key for part in new)
        return False
    return True
