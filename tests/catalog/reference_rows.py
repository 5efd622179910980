"""The rows that the tables of `docs/config-reference.md` must have, made from the code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from offloader.catalog.json_schema import schemas
from offloader.catalog.text_rules import IDENTIFIER_PATTERN
from offloader.settings.settings import VARIABLES

_KINDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "array": "list",
    "object": "mapping",
    "null": "null",
}


def field_rows(kind: str) -> list[tuple[str, ...]]:
    """Return path, value and meaning of every field of one kind of file."""
    return list(_rows(schemas()[kind], ""))


def variable_rows() -> list[tuple[str, ...]]:
    """Return name, default and meaning of every variable."""
    return [
        (
            f"`{v.name}`" + (f", `{v.name}_FILE`" if v.is_secret else ""),
            v.default_text if " " in v.default_text or v.default is None else f"`{v.default_text}`",
            v.description,
        )
        for v in VARIABLES
    ]


def _rows(schema: Any, path: str) -> Iterator[tuple[str, ...]]:
    required = schema.get("required", ())
    for name, inner in schema.get("properties", {}).items():
        place = f"{path}{name}"
        yield f"`{place}`", value_words(inner, name in required), inner["description"]
        yield from _rows(inner, f"{place}.")
        if "properties" in inner.get("items", {}):
            yield from _rows(inner["items"], f"{place}[].")


def value_words(schema: Any, is_required: bool) -> str:
    """Return in words what a field takes."""
    words = [_kind(schema)]
    if "minimum" in schema:
        words.append(f"{schema['minimum']:.15g} to {schema['maximum']:.15g}")
    if "maxLength" in schema:
        words.append(f"at most {schema['maxLength']} characters")
    if "maxItems" in schema:
        words.append(f"at most {schema['maxItems']}")
    if "default" in schema:
        words.append(f"default `{_plain(schema['default'])}`")
    return ", ".join(words) + ("; **required**" if is_required else "")


def _kind(schema: Any) -> str:
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return "one of " + ", ".join(f"`{choice}`" for choice in schema["enum"])
    if schema.get("pattern") == f"^(?:{IDENTIFIER_PATTERN})$":
        return "identifier"
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " or ".join(_KINDS[kind] for kind in kinds)


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
