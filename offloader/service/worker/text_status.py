"""What `/diagnostics` says of a dataset's row texts: those there are, and those left out."""

from __future__ import annotations

from typing import Any

from offloader.segment.read import RowTexts, SkippedRowTexts
from offloader.service.worker.generation import Generation


def text_status(generation: Generation, name: str) -> dict[str, Any]:
    """Return the fields of one dataset; both are empty before its first segment."""
    opened = generation.opened.get(name)
    texts = () if opened is None else opened.segment.texts
    skipped = () if opened is None else opened.segment.skipped_texts
    return {
        "row_texts": [{**_described(one), "bytes": one.size_bytes} for one in texts],
        "skipped_row_texts": [
            {
                **_described(one),
                "wanted_bytes": one.wanted_bytes,
                "limit_bytes": one.limit_bytes,
            }
            for one in skipped
        ],
    }


def _described(one: RowTexts | SkippedRowTexts) -> dict[str, list[str]]:
    return {"columns": list(one.columns), "order": list(one.order)}
