"""Encode: a result into CSV (RFC 4180): a header line, CRLF line ends, quotes where needed.

A null is an empty field without quotes, the empty text is `""`. Numbers, dates and times are
written as in JSON; text and nested JSON as they are, in quotes when they hold a comma, a quote or
a line end. Values are never altered, so a text that a spreadsheet would run as a formula stays so.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from offloader.catalog.types import Kind
from offloader.query.cell_text import cell_texts
from offloader.query.cells import Cells
from offloader.query.execute import Result
from offloader.query.params import Bound
from offloader.segment.dictionary import Texts

_needs_quotes: Callable[[str], object] = re.compile(r'[",\r\n]').search


def encode_csv(bound: Bound, result: Result) -> bytes:
    """Return a line of aliases and a line a row, each ended by CRLF, as UTF-8 without a BOM.

    A row whose only column is null is an empty line.
    """
    columns = [_fields(cells) for _, cells in zip(bound.columns, result.columns, strict=True)]
    lines = [",".join(bound.columns), *map(",".join, zip(*columns, strict=True)), ""]
    return "\r\n".join(lines).encode()


def _fields(cells: Cells) -> list[str]:
    if isinstance(cells.dictionary, Texts):
        return _text_fields(cells, cells.dictionary)
    texts = cell_texts(cells)
    if cells.type.kind in (Kind.DATE, Kind.TIMESTAMP):
        return ["" if text == "null" else text[1:-1] for text in texts]
    return ["" if text == "null" else text for text in texts]


def _text_fields(cells: Cells, texts: Texts) -> list[str]:
    """Read and quote each distinct text once."""
    codes = cells.values if cells.valid is None else cells.values[cells.valid]
    distinct = list(dict.fromkeys(codes.tolist()))
    found = map(_quoted, texts.texts(np.array(distinct, np.int64)))
    by_code = dict(zip(distinct, found, strict=True))
    if cells.valid is None:
        return [by_code[code] for code in codes.tolist()]
    pairs = zip(cells.values.tolist(), cells.valid.tolist(), strict=True)
    return [by_code[code] if is_valid else "" for code, is_valid in pairs]


def _quoted(text: str) -> str:
    if text and not _needs_quotes(text):
        return text
    return '"' + text.replace('"', '""') + '"'
