"""Rules of a swap in main: prepare, commit, abort, retire."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import pytest

from offloader.service.generation_document import Document
from offloader.service.main import offers
from offloader.service.main.generations import Generations
from offloader.service.main.part_store import DamagedPart
from offloader.shared.control import ControlBlock, Word
from tests.service.fake_worker import FakeWorker
from tests.service.loaded import Loaded, flipped
from tests.service.swapping import Entries, serve
from tests.shared.descriptors import open_descriptors


def test_prepare_offers_each_part_and_then_the_generation(
    generations: Generations, made: Loaded, entries: Entries
) -> None:
    """A worker gets the parts and the project at once, then the generation's own document."""
    worker = FakeWorker(generations)
    assert generations.prepare(made.document(alpha=entries[0])) == 1
    (sent, generation) = worker.messages()
    *parts, catalog = sent["parts"]
    assert parts == entries[0]["parts"]
    assert re.fullmatch("catalog-[0-9a-f]{32}", catalog)
    assert generation == {"generation": 1}


def test_a_part_that_a_worker_has_is_not_sent_again(
    generations: Generations, made: Loaded, entries: Entries, control: ControlBlock
) -> None:
    """Two generations over the same snapshot share their parts and their memory."""
    worker = FakeWorker(generations)
    generations.prepare(made.document(alpha=entries[0]))
    held_bytes = control[Word.SHARED_BYTES]
    worker.messages()
    assert generations.prepare(made.document(alpha=entries[0])) == 2
    assert worker.messages() == [{"generation": 2}]
    assert control[Word.SHARED_BYTES] == held_bytes == made.size_bytes("alpha", entries[0])


def test_commit_is_seen_in_the_control_block(
    generations: Generations, made: Loaded, entries: Entries, control: ControlBlock
) -> None:
    """Before the commit readers see no generation, after it its number and time."""
    number = generations.prepare(made.document(alpha=entries[0]))
    assert control.generation() == 0
    generations.commit(number)
    assert control.generation() == 1
    assert control[Word.COMMITTED_AT_US] == 1_780_000_000_500_000


@pytest.mark.parametrize("number", [0, 1, 3])
def test_only_what_is_prepared_can_be_committed(
    generations: Generations, made: Loaded, entries: Entries, control: ControlBlock, number: int
) -> None:
    """An unknown, dropped or earlier number is refused, so that no snapshot goes backwards."""
    serve(generations, made, entries[0])
    serve(generations, made, entries[1])
    with pytest.raises(LookupError, match=f"generation {number} is not prepared"):
        generations.commit(number)
    assert control.generation() == 2


def test_abort_drops_what_was_prepared(
    generations: Generations, made: Loaded, entries: Entries, control: ControlBlock
) -> None:
    """Workers are told, memory and descriptors are released, the served one goes on."""
    worker = FakeWorker(generations)
    serve(generations, made, entries[0])
    before = open_descriptors()
    number = generations.prepare(made.document(alpha=entries[1]))
    generations.abort(number)
    assert worker.messages()[-2:] == [
        {"drop": [2]},
        {"forget": sorted(entries[1]["parts"])},
    ]
    assert control.generation() == 1
    assert control[Word.SHARED_BYTES] == made.size_bytes("alpha", entries[0])
    assert open_descriptors() <= before
    generations.abort(number)  # a second time changes nothing
    generations.abort(1)  # nor for what is served
    assert generations.prepare(made.document(alpha=entries[1])) == 3


def test_a_reloader_that_is_gone_leaves_nothing_prepared(
    generations: Generations, made: Loaded, entries: Entries, control: ControlBlock
) -> None:
    """Every generation that was prepared and not committed is dropped."""
    serve(generations, made, entries[0])
    generations.prepare(made.document(alpha=entries[1]))
    generations.prepare(made.document(alpha=entries[2]))
    generations.abort_prepared()
    assert control[Word.SHARED_BYTES] == made.size_bytes("alpha", entries[0])
    late = FakeWorker(generations)
    assert late.offered() == [1]


def test_a_damaged_part_is_refused_and_the_served_one_goes_on(
    generations: Generations, made: Loaded, entries: Entries, control: ControlBlock
) -> None:
    """Parts that were loaded before the damaged one are released again."""
    worker = FakeWorker(generations)
    serve(generations, made, entries[0])
    worker.messages()
    before = open_descriptors()
    last_part = made.paths("alpha", entries[1])[-1]
    with flipped(last_part, 100), pytest.raises(DamagedPart) as caught:
        generations.prepare(made.document(alpha=entries[1]))
    assert caught.value.part_id == entries[1]["parts"][-1]
    assert control[Word.SHARED_BYTES] == made.size_bytes("alpha", entries[0])
    assert (control.generation(), worker.messages()) == (1, [])
    assert open_descriptors() <= before
    assert serve(generations, made, entries[1]) == 2


def test_memory_that_cannot_be_had_for_the_document_releases_the_parts(
    generations: Generations,
    made: Loaded,
    entries: Entries,
    control: ControlBlock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A prepare that fails at its last step holds nothing."""

    def spent(_name: str, _content: bytes) -> int:
        raise OSError(errno.ENOMEM, "spent")

    before = open_descriptors()
    monkeypatch.setattr(offers, "memory_of", spent)
    with pytest.raises(OSError, match="spent"):
        generations.prepare(made.document(alpha=entries[0]))
    assert control[Word.SHARED_BYTES] == 0
    assert open_descriptors() <= before


def test_an_endpoint_keeps_its_row_of_counters(generations: Generations) -> None:
    """Rows are given out once, so a counter never counts for another endpoint."""

    def rows(*names: str) -> Document:
        return generations._offers._counter_rows({name: {"name": name} for name in names})

    assert rows("b", "a") == {"b": 1, "a": 2}
    assert rows("c", "a") == {"b": 1, "a": 2, "c": 3}
    many = rows(*(f"e{number}" for number in range(2000)))
    assert sorted(many.values()) == list(range(1, 1024))


def test_the_cache_may_lose_a_served_part(
    generations: Generations, made: Loaded, entries: Entries, tmp_path: Path
) -> None:
    """What is in memory is not read again."""
    serve(generations, made, entries[0])
    moved = made.paths("alpha", entries[0])[0]
    moved.rename(tmp_path / "away")
    assert generations.prepare(made.document(alpha=entries[0])) == 2
    (tmp_path / "away").rename(moved)
