"""Examples in curl, TypeScript and Python that run as they are, given a key in `API_KEY`.

Each is a file of `snippets/`. A line behind `@key` is for an API with keys, one behind `@open` for
a public one; `@url`, `@query`, `@json` and `@type` stand for the request and the row's type.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from urllib.parse import urlencode

from offloader.catalog.types import Kind
from offloader.service.apidocs.columns import AnswerColumn

LANGUAGES: Mapping[str, str] = {"curl": "sh", "TypeScript": "ts", "Python": "py"}
KEY_VARIABLE = "API_KEY"
_PLACE = re.compile("@(url|query|json|type)")
_TYPES: Mapping[Kind, str] = {
    Kind.BOOLEAN: "boolean",
    Kind.VARCHAR: "string",
    Kind.DATE: "string",
    Kind.TIMESTAMP: "string",
    Kind.JSON: "unknown",
}


@dataclass(frozen=True, slots=True)
class Example:
    """What an example asks: an endpoint by its URL, params as texts, the columns of its rows."""

    url: str
    params: Mapping[str, str]
    columns: tuple[AnswerColumn, ...]
    is_authed: bool


def examples(kind: str, example: Example) -> dict[str, str]:
    """Return the text in each language; `kind` is `first`, `again`, `pages` or `errors`."""
    return {
        language: "".join(_lines(_snippet(f"{kind}.{suffix}.txt"), example))
        for language, suffix in LANGUAGES.items()
    }


def row_type(columns: tuple[AnswerColumn, ...]) -> str:
    """Return the type of a row in TypeScript."""
    fields = (f"  {column.name}: {_type(column)};\n" for column in columns)
    return f"type Row = {{\n{''.join(fields)}}};"


def _lines(text: str, example: Example) -> Iterator[str]:
    values = {
        "url": example.url,
        "query": urlencode(example.params),
        "json": _object(example.params),
        "type": row_type(example.columns),
    }
    for line in text.splitlines(keepends=True):
        mark, _, rest = line.partition(" ")
        if mark in ("@key", "@open"):
            if (mark == "@key") is not example.is_authed:
                continue
            line = rest
        yield _PLACE.sub(lambda match: values[match[1]], line)


def _object(params: Mapping[str, str]) -> str:
    """Return an object as Python, JavaScript and JSON all write it."""
    return json.dumps(dict(params), ensure_ascii=False)


def _type(column: AnswerColumn) -> str:
    shown = _TYPES.get(column.type.kind, "number")
    return f"{shown} | null" if column.is_nullable and shown != "unknown" else shown


@cache
def _snippet(name: str) -> str:
    return files(__package__).joinpath("snippets", name).read_text(encoding="utf-8")
