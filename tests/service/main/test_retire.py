"""Rules of retiring: a generation goes when no long request reads it, and is counted until then."""

from __future__ import annotations

import pytest

from offloader.service.main import generations as generations_module
from offloader.service.main.generations import Generations
from offloader.shared.control import ControlBlock, Word
from offloader.shared.slots import Head
from tests.service.fake_worker import FakeWorker
from tests.service.loaded import Loaded
from tests.service.swapping import Entries, serve
from tests.shared.descriptors import eventually, open_descriptors


def sizes(made: Loaded, entries: Entries) -> list[int]:
    """Return the bytes of each entry's parts."""
    return [made.size_bytes("alpha", entry) for entry in entries]


def is_anyone_retiring(generations: Generations) -> bool:
    """Tell whether a thread looks on for old generations."""
    return generations._is_retiring


def test_what_nobody_reads_goes_with_the_commit(
    generations: Generations, made: Loaded, entries: Entries, control: ControlBlock
) -> None:
    """Memory, descriptors and the workers' mappings of the generation before are let go of."""
    worker = FakeWorker(generations)
    serve(generations, made, entries[0])
    before = open_descriptors()
    worker.messages()
    serve(generations, made, entries[1])
    assert control[Word.SHARED_BYTES] == sizes(made, entries)[1]
    told = worker.messages()
    assert [list(message) for message in told] == [["parts"], ["generation"], ["drop"], ["forget"]]
    assert told[0]["parts"] == entries[1]["parts"]  # and not the project, which is the same
    assert told[2:] == [{"drop": [1]}, {"forget": sorted(entries[0]["parts"])}]
    assert len(open_descriptors()) <= len(before)
    assert not is_anyone_retiring(generations)


def test_what_a_long_request_reads_stays_and_is_counted(
    generations: Generations, made: Loaded, entries: Entries, control: ControlBlock
) -> None:
    """Everything from the lowest generation in use on is held, and goes once it is let go of."""
    bytes_ = sizes(made, entries)
    reading, idle = FakeWorker(generations), FakeWorker(generations)
    serve(generations, made, entries[0])
    reading.head[Head.LOWEST_IN_USE] = 1
    serve(generations, made, entries[1])
    assert control[Word.SHARED_BYTES] == bytes_[0] + bytes_[1]
    serve(generations, made, entries[2])
    assert control[Word.SHARED_BYTES] == sum(bytes_[:3])
    assert {"drop": [1]} not in idle.messages()
    reading.head[Head.LOWEST_IN_USE] = 2
    eventually(lambda: control[Word.SHARED_BYTES] == bytes_[1] + bytes_[2])
    reading.head[Head.LOWEST_IN_USE] = 0
    eventually(lambda: control[Word.SHARED_BYTES] == bytes_[2])
    eventually(lambda: not is_anyone_retiring(generations))
    assert [m["drop"] for m in idle.messages() if "drop" in m] == [[1], [2]]


def test_a_request_on_the_served_generation_holds_nothing_else(
    generations: Generations, made: Loaded, entries: Entries, control: ControlBlock
) -> None:
    """A long request that began after the commit does not keep what was served before."""
    worker = FakeWorker(generations)
    serve(generations, made, entries[0])
    worker.head[Head.LOWEST_IN_USE] = 2
    serve(generations, made, entries[1])
    assert control[Word.SHARED_BYTES] == sizes(made, entries)[1]


def test_a_dead_worker_holds_nothing(
    generations: Generations, made: Loaded, entries: Entries, control: ControlBlock
) -> None:
    """What it read is told by its slot still, but its connection ended."""
    worker = FakeWorker(generations)
    serve(generations, made, entries[0])
    worker.head[Head.LOWEST_IN_USE] = 1
    serve(generations, made, entries[1])
    worker.end()
    eventually(lambda: control[Word.SHARED_BYTES] == sizes(made, entries)[1])


def test_old_generations_are_looked_at_before_room_is_needed(
    generations: Generations,
    made: Loaded,
    entries: Entries,
    control: ControlBlock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A prepare does not wait for the thread that looks now and then."""
    monkeypatch.setattr(generations_module, "RETIRE_SECONDS", 60.0)
    worker = FakeWorker(generations)
    serve(generations, made, entries[0])
    worker.head[Head.LOWEST_IN_USE] = 1
    serve(generations, made, entries[1])
    worker.head[Head.LOWEST_IN_USE] = 0
    generations.prepare(made.document(alpha=entries[2]))
    assert control[Word.SHARED_BYTES] == sum(sizes(made, entries)[1:3])
    worker.end()  # wakes the thread, which then ends
    eventually(lambda: not is_anyone_retiring(generations))
