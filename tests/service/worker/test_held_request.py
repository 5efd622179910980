"""Rules of a long request: its generation is held for it, counted, and gone when it is done."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event

from offloader.service.main.generations import Generations
from offloader.service.worker.generation import Generation
from offloader.shared.control import ControlBlock, Word
from offloader.shared.slots import Head
from tests.service.attaching import ROWS, Attach, body, disconnect, mapped_parts, swap
from tests.service.loaded import Loaded
from tests.service.swapping import LONG_SECONDS, Entries
from tests.shared.descriptors import eventually


def test_memory_that_a_long_request_maps_is_counted_until_it_is_done(
    attach: Attach, generations: Generations, made: Loaded, entries: Entries, control: ControlBlock
) -> None:
    """It answers from its own snapshot after two swaps, and then the memory is free."""
    sizes = [made.size_bytes("alpha", entry) for entry in entries]
    parts = len(entries[0]["parts"])
    swap(generations, made, {"alpha": entries[0]})
    worker, other = attach(), attach()
    assert worker.start(LONG_SECONDS)
    assert other.start(LONG_SECONDS)
    generation = worker.generation()
    assert generation is not None
    worker.hold(generation)
    done = Event()

    def request(held: Generation) -> dict[str, object]:
        done.wait(LONG_SECONDS)
        return body(held)

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(request, generation)
        del generation
        swap(generations, made, {"alpha": entries[1]})
        swap(generations, made, {"alpha": entries[2]})
        assert control[Word.SHARED_BYTES] == sum(sizes[:3])
        assert mapped_parts() == 2 * 3 * parts
        assert body(worker.generation())["snapshot"] == "s2"
        done.set()
        assert answer.result(timeout=30) == {"snapshot": "s0", "data": ROWS}
    held = worker._generations[1]
    worker.release(held)
    del held
    eventually(lambda: control[Word.SHARED_BYTES] == sizes[2])
    eventually(lambda: gc.collect() >= 0 and mapped_parts() == 2 * parts)


def test_a_worker_that_dies_in_a_long_request_holds_nothing(
    attach: Attach, generations: Generations, made: Loaded, entries: Entries, control: ControlBlock
) -> None:
    """Its slot says still what it read, and main does not wait for it."""
    swap(generations, made, {"alpha": entries[0]})
    worker = attach()
    assert worker.start(LONG_SECONDS)
    generation = worker.generation()
    assert generation is not None
    worker.hold(generation)
    swap(generations, made, {"alpha": entries[1]})
    both = made.size_bytes("alpha", entries[0]) + made.size_bytes("alpha", entries[1])
    assert control[Word.SHARED_BYTES] == both
    disconnect(worker)
    eventually(lambda: control[Word.SHARED_BYTES] == made.size_bytes("alpha", entries[1]))
    assert worker.head[Head.LOWEST_IN_USE] == 1


def test_a_worker_keeps_no_descriptor_of_a_part(
    attach: Attach, generations: Generations, made: Loaded, entries: Entries
) -> None:
    """Hundreds of parts cost a worker mappings only; main has the one descriptor of each."""
    before, parts = open_parts(), len(entries[0]["parts"])
    swap(generations, made, {"alpha": entries[0]})
    workers = [attach() for _ in range(2)]
    assert all(worker.start(LONG_SECONDS) for worker in workers)
    assert open_parts() == before + parts
    swap(generations, made, {"alpha": entries[1]})
    assert open_parts() == before + parts


def open_parts() -> int:
    """Count this process's descriptors of the dataset's parts."""
    found = 0
    for entry in list(Path("/proc/self/fd").iterdir()):
        with suppress(OSError):  # the one this look took
            found += "memfd:offloader-alpha" in str(entry.readlink())
    return found
