"""What tests of swaps share: times, and a swap in one step."""

from __future__ import annotations

from offloader.service.generation_document import Document
from offloader.service.main.generations import Generations
from tests.service.loaded import Loaded

LONG_SECONDS = 60.0  # a test that waits as long has failed
SHORT_SECONDS = 0.02
NOW_SECONDS = 1_780_000_000.5

Entries = list[Document]


def serve(generations: Generations, made: Loaded, entry: Document) -> int:
    """Prepare and commit with whoever attached."""
    number = generations.prepare(made.document(alpha=entry))
    generations.commit(number, SHORT_SECONDS)
    return number
