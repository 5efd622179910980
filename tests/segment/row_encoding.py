"""Rows as a request would have them encoded, and texts that were encoded ahead, to compare."""

from __future__ import annotations

from collections.abc import Iterable

from offloader.query.cell_text import cell_texts
from offloader.query.cells import read_cells
from offloader.segment.read import Segment
from offloader.segment.row_text_spec import RowTextSpec


def encoded(segment: Segment, spec: RowTextSpec) -> list[str]:
    """Encode each base row as a request would have it done."""
    rows = slice(0, segment.row_count)
    columns = [cell_texts(read_cells(segment.columns[name], rows)) for _, name in spec.columns]
    template = "{" + ",".join(f'"{alias}":%s' for alias, _ in spec.columns) + "}"
    return [template % row for row in zip(*columns, strict=True)]


def decoded(rows: Iterable[memoryview]) -> list[str]:
    """Return the text of each row."""
    return [bytes(row).decode() for row in rows]
