"""Rules of admission: what there is room for lies in memory, the rest is mapped from files."""

from __future__ import annotations

import os

import pytest

from offloader.service.main.admission import choose
from offloader.service.main.generations import Generations
from offloader.service.main.part_store import SPARE_BYTES
from offloader.shared.control import ControlBlock, Word
from tests.service.admitting import Three, commit, sizes
from tests.service.fake_worker import FakeWorker


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        (0, {"none"}),
        (9, {"none"}),
        (10, {"none", "b"}),
        (29, {"none", "b"}),
        (30, {"none", "a", "b"}),
        (10_030, {"none", "a", "b", "large"}),
    ],
)
def test_as_many_as_fit_are_chosen_the_smallest_first(room: int, expected: set[str]) -> None:
    """What takes nothing always fits; a large one does not keep small ones out."""
    assert choose({"large": 10_000, "a": 20, "b": 10, "none": 0}, room) == expected


def test_of_equals_the_first_by_name_is_chosen() -> None:
    """The same datasets are chosen each time."""
    assert choose({"b": 10, "a": 10, "c": 10}, 20) == {"a", "b"}


def test_what_does_not_fit_is_mapped_and_the_others_are_loaded(
    three: Three, control: ControlBlock
) -> None:
    """The limit holds to the byte; what is mapped is said and counted apart."""
    made, entries = three
    size = sizes(three)
    limit_bytes = size["alpha"] + size["beta"]
    generations = Generations(made.cache, control, limit_bytes, lambda: 0.0)
    assert commit(generations, made.document(**entries)) == {"gamma": size["gamma"]}
    assert control[Word.SHARED_BYTES] == limit_bytes
    assert control[Word.MAPPED_BYTES] == size["gamma"]
    small = Generations(made.cache, control, limit_bytes - 1, lambda: 0.0)
    assert small.mapped(small.prepare(made.document(**entries))) == {
        "beta": size["beta"],
        "gamma": size["gamma"],
    }


def test_everything_is_served_even_without_any_memory(three: Three, control: ControlBlock) -> None:
    """The page cache is the second choice for all of it, of many small ones too."""
    made, entries = three
    generations = Generations(made.cache, control, 0, lambda: 0.0)
    assert commit(generations, made.document(**entries)) == sizes(three)
    assert control[Word.SHARED_BYTES] == 0


def test_the_container_may_have_less_than_the_limit(three: Three, control: ControlBlock) -> None:
    """What it has left is asked each time, and a part of that is not touched."""
    made, entries = three
    size = sizes(three)
    left_bytes = [SPARE_BYTES + size["alpha"]]
    generations = Generations(made.cache, control, 1 << 40, lambda: 0.0, lambda: left_bytes[0])
    assert set(commit(generations, made.document(**entries))) == {"beta", "gamma"}
    left_bytes[0] = SPARE_BYTES + size["beta"] + size["gamma"] - 1
    assert set(commit(generations, made.document(**entries))) == {"gamma"}
    left_bytes[0] = 0
    assert set(commit(generations, made.document(**entries))) == {"gamma"}


def test_a_mapped_part_is_the_caches_file_open_for_reading(
    three: Three, control: ControlBlock
) -> None:
    """Workers get its descriptor under a key of its own."""
    made, entries = three
    generations = Generations(made.cache, control, 0, lambda: 0.0)
    worker = FakeWorker(generations)
    commit(generations, made.document(alpha=entries["alpha"]))
    keys = worker.messages()[0]["parts"][:-1]
    assert keys == [f"{part_id}@file" for part_id in entries["alpha"]["parts"]]
    for key, path in zip(keys, made.paths("alpha", entries["alpha"]), strict=True):
        part = generations._store[key]
        assert os.fstat(part.descriptor).st_ino == path.stat().st_ino
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.pwrite(part.descriptor, b"x", 0)


def test_a_dataset_goes_one_way_as_a_whole(three: Three, control: ControlBlock) -> None:
    """Room for one of its parts is no reason to split it."""
    made, entries = three
    first = made.paths("beta", entries["beta"])[1].stat().st_size
    generations = Generations(made.cache, control, first, lambda: 0.0)
    assert commit(generations, made.document(beta=entries["beta"])) == {
        "beta": sizes(three)["beta"]
    }
    assert control[Word.SHARED_BYTES] == 0


def test_parts_that_are_in_memory_stay_there(three: Three, control: ControlBlock) -> None:
    """A new access path that does not fit is mapped beside them."""
    made, entries = three
    columns, *others = (one.stat().st_size for one in made.paths("beta", entries["beta"]))
    generations = Generations(made.cache, control, columns, lambda: 0.0)
    only_columns = {**entries["beta"], "parts": entries["beta"]["parts"][:1]}
    assert commit(generations, made.document(beta=only_columns)) == {}
    assert commit(generations, made.document(beta=entries["beta"])) == {"beta": sum(others)}
    assert control[Word.SHARED_BYTES] == columns
    assert control[Word.MAPPED_BYTES] == sum(others)
