"""What tests of admission share: three datasets, and a swap that tells what was mapped."""

from __future__ import annotations

from collections.abc import Mapping

from offloader.service.generation_document import Document
from offloader.service.main.generations import Generations
from tests.service.loaded import Loaded
from tests.service.swapping import SHORT_SECONDS

Three = tuple[Loaded, dict[str, Document]]


def sizes(three: Three) -> dict[str, int]:
    """Return the bytes of each dataset."""
    made, entries = three
    return {name: made.size_bytes(name, entry) for name, entry in entries.items()}


def commit(generations: Generations, document: Document) -> Mapping[str, int]:
    """Prepare and commit; return what is mapped."""
    number = generations.prepare(document)
    generations.commit(number, SHORT_SECONDS)
    return generations.mapped(number)
