"""Rules of what was mapped: it moves into memory when asked for again and there is room."""

from __future__ import annotations

from pathlib import Path

from offloader.service.main.generations import Generations
from offloader.service.main.part_store import SPARE_BYTES
from offloader.shared.control import ControlBlock, Word
from tests.service.admitting import Three, commit, sizes
from tests.service.fake_worker import FakeWorker
from tests.service.loaded import flipped, loaded
from tests.shared.descriptors import open_descriptors


def test_what_is_mapped_moves_into_memory_when_the_same_is_asked_for_again(
    three: Three, control: ControlBlock
) -> None:
    """Only then: another change does not wait for large copies."""
    made, entries = three
    size = sizes(three)
    left_bytes = [SPARE_BYTES]
    generations = Generations(made.cache, control, 1 << 40, lambda: 0.0, lambda: left_bytes[0])
    document = made.document(beta=entries["beta"])
    assert commit(generations, document) == {"beta": size["beta"]}
    worker = FakeWorker(generations)
    worker.messages()
    left_bytes[0] = 1 << 40
    other = made.document(alpha=entries["alpha"], beta=entries["beta"])
    assert commit(generations, other) == {"beta": size["beta"]}
    assert control[Word.SHARED_BYTES] == size["alpha"]
    worker.messages()
    assert commit(generations, other) == {}
    assert worker.messages()[0] == {"parts": entries["beta"]["parts"]}
    assert control[Word.SHARED_BYTES] == size["alpha"] + size["beta"]
    assert control[Word.MAPPED_BYTES] == 0


def test_asking_again_without_room_changes_nothing(three: Three, control: ControlBlock) -> None:
    """Neither is anything read again."""
    made, entries = three
    generations = Generations(made.cache, control, 0, lambda: 0.0)
    document = made.document(alpha=entries["alpha"])
    commit(generations, document)
    before = open_descriptors()
    with flipped(made.paths("alpha", entries["alpha"])[0], 100):
        commit(generations, document)
    assert len(open_descriptors()) <= len(before)


def test_a_new_snapshot_is_loaded_though_the_one_before_was_mapped(
    tmp_path: Path, control: ControlBlock
) -> None:
    """A dataset is mapped as long as it must be, not for ever."""
    made = loaded(tmp_path)
    left_bytes = [0]
    generations = Generations(made.cache, control, 1 << 40, lambda: 0.0, lambda: left_bytes[0])
    assert commit(generations, made.document(alpha=made.publish("alpha", "s0", 50)))
    left_bytes[0] = 1 << 40
    assert commit(generations, made.document(alpha=made.publish("alpha", "s1", 51))) == {}
