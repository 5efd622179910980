"""Rules of mapping a part from the cache: as sound as in memory, or refused."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import pytest

from offloader.errors import OutOfMemoryBudget
from offloader.service.main import part_store
from offloader.service.main.generations import Generations
from offloader.service.main.part_store import DamagedPart
from offloader.shared.control import ControlBlock, Word
from offloader.shared.memory import copy_of_file
from tests.service.admitting import Three, commit, sizes
from tests.service.fake_worker import FakeWorker
from tests.service.loaded import flipped
from tests.shared.descriptors import open_descriptors


@pytest.mark.parametrize("number", [0, 1], ids=["columns part", "path part"])
def test_a_damaged_file_is_not_mapped(three: Three, control: ControlBlock, number: int) -> None:
    """Every checksum is compared, as in memory; nothing is left open."""
    made, entries = three
    generations = Generations(made.cache, control, 0, lambda: 0.0)
    path = made.paths("alpha", entries["alpha"])[number]
    before = open_descriptors()
    with flipped(path, 100), pytest.raises(DamagedPart) as caught:
        generations.prepare(made.document(alpha=entries["alpha"]))
    assert caught.value.part_id == path.name
    assert open_descriptors() <= before
    assert control[Word.MAPPED_BYTES] == 0


def test_a_file_the_disk_does_not_give_is_damaged(
    three: Three, control: ControlBlock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read before it is mapped: read by way of the mapping it would end main."""
    made, entries = three
    generations = Generations(made.cache, control, 0, lambda: 0.0)
    monkeypatch.setattr(os, "preadv", raising(OSError(errno.EIO, "Input/output error")))
    before = open_descriptors()
    with pytest.raises(DamagedPart, match="cannot be read: Input/output error"):
        generations.prepare(made.document(alpha=entries["alpha"]))
    assert open_descriptors() <= before


def test_what_can_neither_be_loaded_nor_mapped_is_refused(
    three: Three, control: ControlBlock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The served generation goes on, and nothing is left open."""
    made, entries = three
    size = sizes(three)
    generations = Generations(made.cache, control, size["alpha"], lambda: 0.0)
    worker = FakeWorker(generations)
    commit(generations, made.document(alpha=entries["alpha"]))
    worker.messages()
    before = open_descriptors()
    monkeypatch.setattr(part_store, "map_sealed", raising(OSError(errno.ENODEV, "No such device")))
    with pytest.raises(OutOfMemoryBudget) as caught:
        generations.prepare(made.document(**entries))
    assert caught.value.code == "memory_limit"
    assert caught.value.message.endswith("cannot be mapped instead: No such device")
    assert caught.value.hint.startswith("raise OFFLOADER_MEMORY_LIMIT")
    assert control[Word.SHARED_BYTES] == size["alpha"]
    assert control[Word.MAPPED_BYTES] == 0
    assert (control.generation(), worker.messages(), open_descriptors()) == (1, [], before)


@pytest.mark.parametrize("number", [errno.ENOMEM, errno.ENOSPC])
def test_a_kernel_that_has_less_than_it_said_costs_no_dataset(
    three: Three, control: ControlBlock, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """What cannot be had is mapped after all, and what was loaded of that dataset is let go of."""
    made, entries = three
    path_bytes = made.paths("beta", entries["beta"])[1].stat().st_size

    def scarce(name: str, source: int) -> tuple[int, int]:
        if os.fstat(source).st_size == path_bytes:
            raise OSError(number, "spent")
        return copy_of_file(name, source)

    monkeypatch.setattr(part_store, "copy_of_file", scarce)
    generations = Generations(made.cache, control, 1 << 40, lambda: 0.0)
    assert set(commit(generations, made.document(**entries))) == {"beta"}
    assert control[Word.SHARED_BYTES] == sizes(three)["alpha"] + sizes(three)["gamma"]


def test_want_of_descriptors_is_no_want_of_memory(
    three: Three, control: ControlBlock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mapping needs one as well: the prepare fails and says so."""
    made, entries = three
    generations = Generations(made.cache, control, 1 << 40, lambda: 0.0)
    monkeypatch.setattr(part_store, "copy_of_file", raising(OSError(errno.EMFILE, "too many")))
    with pytest.raises(OSError, match="too many"):
        generations.prepare(made.document(**entries))


def raising(error: OSError) -> Callable[..., None]:
    """Return a function that raises."""

    def fail(*_: object) -> None:
        raise error

    return fail
