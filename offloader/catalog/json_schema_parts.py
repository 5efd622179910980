"""Small pieces of JSON Schema, so that the schemas read like the contract."""

from __future__ import annotations

from collections.abc import Sequence

from offloader.catalog.text_rules import IDENTIFIER_PATTERN

Schema = dict[str, object]


def mapping(
    description: str, properties: dict[str, Schema], required: Sequence[str] = ()
) -> Schema:
    """Return the schema of a mapping that takes these fields and no others."""
    schema: Schema = {
        "type": "object",
        "description": description,
        "properties": properties,
        "additionalProperties": False,
    }
    if required:
        schema["required"] = list(required)
    return schema


def text(description: str, **rules: object) -> Schema:
    """Return the schema of a text."""
    return {"type": "string", "description": description, **rules}


def identifier(description: str) -> Schema:
    """Return the schema of a safe identifier."""
    return text(description, pattern=whole(IDENTIFIER_PATTERN))


def number(description: str, low: float, high: float, kind: str = "number") -> Schema:
    """Return the schema of a number from `low` to `high`."""
    return {"type": kind, "description": description, "minimum": low, "maximum": high}


def integer(description: str, low: int, high: int) -> Schema:
    """Return the schema of a whole number from `low` to `high`."""
    return number(description, low, high, "integer")


def flag(description: str, default: bool) -> Schema:
    """Return the schema of a boolean."""
    return {"type": "boolean", "description": description, "default": default}


def choice(description: str, allowed: Sequence[str], default: str | None = None) -> Schema:
    """Return the schema of one of several texts."""
    schema: Schema = {"enum": list(allowed), "description": description}
    return schema if default is None else {**schema, "default": default}


def items(description: str, item: Schema, **rules: object) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "description": description, "items": item, **rules}


def names(description: str, item: str, least: int = 1) -> Schema:
    """Return the schema of a list of distinct identifiers."""
    return items(description, identifier(item), minItems=least, uniqueItems=True)


def whole(pattern: str) -> str:
    """Return a pattern that must match the whole text."""
    return f"^(?:{pattern})$"
