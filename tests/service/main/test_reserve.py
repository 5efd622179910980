"""Rules of the reserve: parts of previous snapshots stay in memory while there is room."""

from __future__ import annotations

from pathlib import Path

import pytest

from offloader.service.generation_document import Document
from offloader.service.main.generations import Generations
from offloader.service.main.part_store import DamagedPart
from offloader.shared.control import ControlBlock, Word
from tests.service.fake_worker import FakeWorker
from tests.service.loaded import Loaded, flipped, loaded
from tests.service.swapping import SHORT_SECONDS, Entries, serve


def keeping(made: Loaded, entry: Document, *kept: Document) -> Document:
    """Return a document that serves one entry and wants the parts of others kept."""
    ids = [part_id for one in kept for part_id in one["parts"]]
    return {**made.document(alpha=entry), "kept": {"alpha": ids}}


def commit(generations: Generations, document: Document) -> int:
    """Prepare and commit with whoever attached."""
    number = generations.prepare(document)
    generations.commit(number, SHORT_SECONDS)
    return number


def test_a_rollback_loads_nothing(
    generations: Generations,
    made: Loaded,
    entries: Entries,
    control: ControlBlock,
    tmp_path: Path,
) -> None:
    """The previous snapshot's parts are in memory still, whatever became of their files."""
    serve(generations, made, entries[0])
    commit(generations, keeping(made, entries[1], entries[0]))
    both = made.size_bytes("alpha", entries[0]) + made.size_bytes("alpha", entries[1])
    assert control[Word.SHARED_BYTES] == both
    moved = made.paths("alpha", entries[0])
    for path in moved:
        path.rename(tmp_path / path.name)
    assert commit(generations, keeping(made, entries[0], entries[1])) == 3
    assert control[Word.SHARED_BYTES] == both
    for path in moved:
        (tmp_path / path.name).rename(path)


def test_workers_map_what_is_kept_until_it_is_not(
    generations: Generations, made: Loaded, entries: Entries
) -> None:
    """Cursors go on on it: nobody is told to forget it, and one that joins is sent it, too."""
    worker = FakeWorker(generations)
    serve(generations, made, entries[0])
    commit(generations, keeping(made, entries[1], entries[0]))
    assert worker.messages()[-1] == {"drop": [1]}
    sent, _ = FakeWorker(generations).messages()
    *active, catalog = sent["parts"][: len(entries[1]["parts"]) + 1]
    assert (active, catalog[:8]) == (entries[1]["parts"], "catalog-")
    assert sent["parts"][len(active) + 1 :] == entries[0]["parts"]
    commit(generations, keeping(made, entries[0], entries[1]))
    assert [next(iter(message)) for message in worker.messages()] == ["generation", "drop"]
    commit(generations, keeping(made, entries[2], entries[0]))
    assert worker.messages()[-1] == {"forget": sorted(entries[1]["parts"])}


def test_workers_are_not_sent_what_they_cannot_open(
    generations: Generations, made: Loaded, entries: Entries
) -> None:
    """A snapshot that is only partly in memory stays there, and nobody maps it."""
    serve(generations, made, entries[0])
    missing = {**entries[0], "parts": [*entries[0]["parts"], "unknown"]}
    commit(generations, keeping(made, entries[1], missing))
    assert entries[0]["parts"][0] in generations._store
    sent, _ = FakeWorker(generations).messages()
    assert set(entries[0]["parts"]).isdisjoint(sent["parts"])


def test_nothing_is_loaded_to_be_kept(
    generations: Generations, made: Loaded, entries: Entries, control: ControlBlock
) -> None:
    """What is not in memory, or not known at all, is passed over."""
    document = keeping(made, entries[0], entries[1])
    document["kept"]["unknown"] = ["absent"]
    commit(generations, document)
    assert control[Word.SHARED_BYTES] == made.size_bytes("alpha", entries[0])


def test_the_reserve_is_what_the_served_document_says(
    generations: Generations, made: Loaded, entries: Entries, control: ControlBlock
) -> None:
    """A part that the next generation does not want kept goes at its commit, not before."""
    sizes = [made.size_bytes("alpha", entry) for entry in entries]
    serve(generations, made, entries[0])
    commit(generations, keeping(made, entries[1], entries[0]))
    number = generations.prepare(keeping(made, entries[2], entries[1]))
    assert control[Word.SHARED_BYTES] == sizes[0] + sizes[1] + sizes[2]
    generations.abort(number)
    assert control[Word.SHARED_BYTES] == sizes[0] + sizes[1]
    commit(generations, keeping(made, entries[2], entries[1]))
    assert control[Word.SHARED_BYTES] == sizes[1] + sizes[2]


@pytest.mark.parametrize("short_bytes", [0, 1])
def test_the_reserve_makes_room_first(
    made: Loaded, entries: Entries, control: ControlBlock, short_bytes: int
) -> None:
    """It is dropped when what is to be served does not fit beside it, and no sooner."""
    sizes = [made.size_bytes("alpha", entry) for entry in entries]
    generations = Generations(made.cache, control, sum(sizes[:3]) - short_bytes, lambda: 0.0)
    serve(generations, made, entries[0])
    commit(generations, keeping(made, entries[1], entries[0]))
    number = generations.prepare(keeping(made, entries[2], entries[1]))
    assert control[Word.SHARED_BYTES] == sum(sizes[:3]) - short_bytes * sizes[0]
    assert control[Word.MAPPED_BYTES] == 0
    generations.commit(number, SHORT_SECONDS)
    assert control[Word.SHARED_BYTES] == sizes[1] + sizes[2]


def test_the_reserve_is_not_dropped_in_vain(
    made: Loaded, entries: Entries, control: ControlBlock
) -> None:
    """When even without it there is no room, what is mapped is mapped beside it."""
    sizes = [made.size_bytes("alpha", entry) for entry in entries]
    large = made.publish("alpha", "large", 2000)
    generations = Generations(made.cache, control, sizes[0] + sizes[1], lambda: 0.0)
    serve(generations, made, entries[0])
    commit(generations, keeping(made, entries[1], entries[0]))
    number = generations.prepare(keeping(made, large, entries[1]))
    assert generations.mapped(number) == {"alpha": made.size_bytes("alpha", large)}
    assert control[Word.SHARED_BYTES] == sizes[0] + sizes[1]


def test_of_the_reserve_goes_first_what_is_not_wanted_any_more_then_the_largest(
    tmp_path: Path, control: ControlBlock
) -> None:
    """As much stays as may: a rollback of the other datasets loads nothing still."""
    rows = {"alpha": 50, "beta": 800, "gamma": 400, "delta": 60}
    made = loaded(tmp_path, list(rows))
    old = {name: made.publish(name, "s0", count) for name, count in rows.items()}
    new = {name: made.publish(name, "s1", 10) for name in rows}
    kept = {name: entry["parts"] for name, entry in old.items()}
    size = {name: made.size_bytes(name, entry) for name, entry in old.items()}
    served = sum(made.size_bytes(name, entry) for name, entry in new.items())
    for unwanted, wanted_bytes, gone in [
        ("alpha", 1, {"alpha"}),
        ("alpha", size["alpha"] + 1, {"alpha", "beta"}),
        ("delta", size["delta"] + size["beta"] + 1, {"delta", "beta", "gamma"}),
    ]:
        next_entry = made.publish("alpha", "s2", 5000)
        limit_bytes = served + sum(size.values()) + made.size_bytes("alpha", next_entry)
        generations = Generations(made.cache, control, limit_bytes - wanted_bytes, lambda: 0.0)
        control[Word.GENERATION] = 0
        commit(generations, made.document(**old))
        commit(generations, {**made.document(**new), "kept": kept})
        wish = {name: ids for name, ids in kept.items() if name != unwanted}
        generations.prepare({**made.document(**{**new, "alpha": next_entry}), "kept": wish})
        left = {name for name in rows if kept[name][0] in generations._store}
        assert left == rows.keys() - gone


def test_a_rebuilt_segment_is_loaded_anew(
    generations: Generations, made: Loaded, entries: Entries, control: ControlBlock
) -> None:
    """The same ids with another copy number are read from the files, once for each number."""
    size_bytes = made.size_bytes("alpha", entries[0])
    worker = FakeWorker(generations)
    serve(generations, made, entries[0])
    worker.messages()
    rebuilt = made.document(alpha={**entries[0], "copy": 1})
    with flipped(made.paths("alpha", entries[0])[0], 100), pytest.raises(DamagedPart):
        generations.prepare(rebuilt)
    number = generations.prepare(rebuilt)
    assert control[Word.SHARED_BYTES] == 2 * size_bytes
    assert worker.messages()[0] == {"parts": [f"{key}.1" for key in entries[0]["parts"]]}
    generations.commit(number, SHORT_SECONDS)
    assert control[Word.SHARED_BYTES] == size_bytes
    with flipped(made.paths("alpha", entries[0])[0], 100):
        assert commit(generations, rebuilt) == 3
