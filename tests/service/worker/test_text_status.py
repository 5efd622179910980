"""Diagnostics name the row texts of a segment, and those that would have taken too much."""

from __future__ import annotations

from dataclasses import replace

from offloader.catalog.model import Catalog
from offloader.segment.read import SkippedRowTexts
from offloader.segment.row_text_spec import RowTextSpec
from offloader.service.worker.generation import Generation, Opened
from offloader.service.worker.text_status import text_status
from tests.segment.tables import build, table

NOTHING = Generation(1, Catalog(False, {}, {}, ()), {}, {}, {}, {}, {})


def test_a_dataset_without_a_segment_has_none() -> None:
    """Before the first snapshot there is nothing to name."""
    assert text_status(NOTHING, "usage") == {"row_texts": [], "skipped_row_texts": []}


def test_texts_are_named_with_their_bytes() -> None:
    """Aliases, the order of the rows, and what they take in memory; or would have taken."""
    spec = RowTextSpec((("n", "b"), ("a", "a")), ("a",))
    segment = build(table("a BIGINT, b BIGINT", [(2, 30), (1, 4)]), [("a",)], texts=[spec])
    skipped = SkippedRowTexts(("b",), ("b",), (), 900, 800)
    segment = replace(segment, skipped_texts=(skipped,))
    generation = replace(NOTHING, opened={"usage": Opened((), segment, 0)})
    text = '{"n":4,"a":1},{"n":30,"a":2},'
    assert text_status(generation, "usage") == {
        "row_texts": [
            {"columns": ["n", "a"], "order": ["a"], "bytes": len(text) + 3 * 4 + 2 * 4},
        ],
        "skipped_row_texts": [
            {"columns": ["b"], "order": [], "wanted_bytes": 900, "limit_bytes": 800},
        ],
    }
