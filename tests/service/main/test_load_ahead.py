"""Rules of loading ahead: parts of a segment whose other parts are still on their way."""

from __future__ import annotations

import pytest

from offloader.service.generation_document import Document
from offloader.service.main.generations import Generations
from offloader.service.main.part_store import PartName
from offloader.shared.control import ControlBlock, Word
from tests.service.admitting import Three, commit, sizes
from tests.service.loaded import Loaded, flipped


def names(dataset: str, entry: Document) -> list[PartName]:
    return [PartName(dataset, part_id, part_id) for part_id in entry["parts"]]


@pytest.fixture
def roomy(three: Three, control: ControlBlock) -> Generations:
    """Room for all three datasets."""
    return Generations(three[0].cache, control, sum(sizes(three).values()), lambda: 0.0)


def test_what_was_loaded_ahead_is_not_loaded_again(
    roomy: Generations, three: Three, control: ControlBlock
) -> None:
    """The segment takes it over, whatever becomes of the files by then."""
    made, entries = three
    for part in names("alpha", entries["alpha"]):
        roomy.load_ahead(part)
    assert control[Word.SHARED_BYTES] == sizes(three)["alpha"]
    with flipped(made.paths("alpha", entries["alpha"])[0], 70):
        assert commit(roomy, made.document(alpha=entries["alpha"])) == {}
    assert control[Word.SHARED_BYTES] == sizes(three)["alpha"]


def test_it_stays_while_others_are_swapped(
    roomy: Generations, three: Three, control: ControlBlock
) -> None:
    """Another dataset's swap lets go of nothing that is about to be asked for."""
    made, entries = three
    first = names("alpha", entries["alpha"])[0]
    roomy.load_ahead(first)
    commit(roomy, made.document(beta=entries["beta"]))
    size_bytes = made.paths("alpha", entries["alpha"])[0].stat().st_size
    assert control[Word.SHARED_BYTES] == sizes(three)["beta"] + size_bytes
    commit(roomy, made.document(alpha=entries["alpha"], beta=entries["beta"]))
    assert control[Word.SHARED_BYTES] == sizes(three)["alpha"] + sizes(three)["beta"]


def test_it_takes_no_room_from_what_is_served(three: Three, control: ControlBlock) -> None:
    """Where there is no room nothing is loaded ahead, and what was makes room."""
    made, entries = three
    size = sizes(three)
    roomy = Generations(made.cache, control, size["alpha"] + size["beta"] - 1, lambda: 0.0)
    for name in ("alpha", "beta"):
        for part in names(name, entries[name]):
            roomy.load_ahead(part)
    assert control[Word.SHARED_BYTES] < size["alpha"] + size["beta"]
    assert commit(roomy, made.document(beta=entries["beta"])) == {}
    assert control[Word.SHARED_BYTES] == size["beta"]


def test_it_goes_with_the_reloader_that_wanted_it(
    roomy: Generations, three: Three, control: ControlBlock
) -> None:
    """Who comes after it asks for what it needs itself."""
    roomy.load_ahead(names("alpha", three[1]["alpha"])[0])
    roomy.abort_prepared()
    assert control[Word.SHARED_BYTES] == 0


def test_a_dataset_that_is_served_from_other_parts_lets_go_of_it(
    generations: Generations, made: Loaded, entries: list[Document], control: ControlBlock
) -> None:
    """Its snapshot was overtaken on the way."""
    for part in names("alpha", entries[0]):
        generations.load_ahead(part)
    commit(generations, made.document(alpha=entries[1]))
    assert control[Word.SHARED_BYTES] == made.size_bytes("alpha", entries[1])


def test_a_damaged_part_is_for_the_swap_to_tell(
    roomy: Generations, three: Three, control: ControlBlock
) -> None:
    """Nothing is raised, and nothing of it is kept."""
    made, entries = three
    path = made.paths("alpha", entries["alpha"])[0]
    with flipped(path, 70):
        roomy.load_ahead(names("alpha", entries["alpha"])[0])
    assert control[Word.SHARED_BYTES] == 0
    roomy.load_ahead(PartName("alpha", "e" * 32, "e" * 32))
    assert commit(roomy, made.document(alpha=entries["alpha"])) == {}
