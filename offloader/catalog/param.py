"""params[] of an endpoint: each client parameter with its type, default and bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import get_args

from offloader.catalog.fields import Fields
from offloader.catalog.model import RESERVED_PARAMS, Param, ParamType, ParamValue
from offloader.catalog.problems import described
from offloader.catalog.strict_json import shown
from offloader.catalog.text_rules import repeats, shown_key, text_fault
from offloader.catalog.values import (
    INT64_MAX,
    INT64_MIN,
    check_bounds,
    format_value,
    parse_literal,
    parse_value,
)

PARAM_FIELDS = (
    "name", "type", "required", "default", "enum", "min", "max", "max_length", "aliases",
)  # fmt: skip
PARAM_TYPES: tuple[ParamType, ...] = get_args(ParamType)
TEXT_TYPES = ("string", "enum")
ORDERED_TYPES = ("integer", "number", "date", "timestamp")
DEFAULT_MAX_LENGTH = 256
MAX_TEXT_LENGTH = 8192  # a query string is no longer than this
MAX_ENUM_VALUES = 1000
MAX_ALIASES = 1000


@dataclass(frozen=True, slots=True)
class ParamDraft:
    """A param as far as it could be read: `param` is None when its type is not known."""

    fields: Fields
    name: str
    param: Param | None


def read_param(fields: Fields) -> ParamDraft:
    """Read one item of params; a refused field keeps its default."""
    name = fields.identifier("name")
    if name in RESERVED_PARAMS:
        reserved = ", ".join(sorted(RESERVED_PARAMS))
        hint = f"choose another name: {reserved} have a meaning on every endpoint"
        fields.problem("name", "reserved_param", f"{name} is a reserved name", hint)
    required = fields.flag("required", default=False)
    kind = fields.choice("type", PARAM_TYPES, required=True)
    if kind is None:
        return ParamDraft(fields, name, None)
    max_length = _read_max_length(fields, kind)
    param = Param(
        name=name,
        type=kind,
        required=required,
        enum=_read_enum(fields, kind, max_length),
        min=_read_bound(fields, "min", kind),
        max=_read_bound(fields, "max", kind),
        max_length=max_length,
    )
    _check_range(fields, param)
    default = _read_default(fields, param)
    return ParamDraft(
        fields, name, replace(param, default=default, aliases=_aliases(fields, param))
    )


def read_literal(kind: ParamType, value: object) -> ParamValue:
    """Return a value as a project states it, typed; raise ValueError with what was expected.

    Texts, dates and timestamps are written as text, the others as numbers and booleans.
    """
    if kind == "boolean" and isinstance(value, bool):
        return value
    if kind in ("string", "enum", "date", "timestamp") and isinstance(value, str):
        return parse_literal(kind, value)
    if kind in ("integer", "number") and not isinstance(value, bool):
        return _read_number(kind, value)
    expected = {"boolean": "true or false"}.get(kind, f"a {kind} written as text")
    raise ValueError(f"must be {expected}")


def _read_number(kind: ParamType, value: object) -> int | float:
    if isinstance(value, int) and not INT64_MIN <= value <= INT64_MAX:
        raise ValueError("must be a number of at most 64 bits")
    if kind == "integer":
        if not isinstance(value, int):
            raise ValueError("must be a whole number, without quotes")
        return value
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("must be a finite number, without quotes")
    return float(value) + 0.0


def _read_max_length(fields: Fields, kind: ParamType) -> int:
    if fields.has("max_length") and kind != "string":
        message = f"max_length has no meaning for a {kind}"
        fields.problem("max_length", "max_length_not_allowed", message, "remove max_length")
        return DEFAULT_MAX_LENGTH
    found = fields.whole("max_length", 1, MAX_TEXT_LENGTH, default=DEFAULT_MAX_LENGTH)
    return found or DEFAULT_MAX_LENGTH


def _read_enum(fields: Fields, kind: ParamType, max_length: int) -> tuple[str, ...]:
    if kind not in TEXT_TYPES:
        if fields.has("enum"):
            message = f"enum has no meaning for a {kind}"
            hint = "remove enum, or make the type enum"
            fields.problem("enum", "enum_not_allowed", message, hint)
        return ()
    items = fields.items("enum", required=kind == "enum", most=MAX_ENUM_VALUES) or ()
    found = []
    for index, item in enumerate(items):
        fault = text_fault(item, max_length)
        if fault:
            fields.problem(f"enum[{index}]", *fault)
        found.append("" if fault else str(item))
    for index in repeats(found):
        message = f"{shown(found[index])} is already in the list"
        fields.problem(f"enum[{index}]", "duplicate_item", message, "drop one of the two")
    return tuple(found)


def _read_bound(fields: Fields, name: str, kind: ParamType) -> ParamValue | None:
    if not fields.has(name):
        return None
    if kind not in ORDERED_TYPES:
        message = f"{name} has no meaning for a {kind}"
        fields.problem(name, "bounds_not_allowed", message, f"remove {name}")
        return None
    return _literal(fields, name, kind, "bad_bound")


def _literal(fields: Fields, name: str, kind: ParamType, code: str) -> ParamValue | None:
    value = fields.value(name)
    try:
        return read_literal(kind, value)
    except ValueError as error:
        fields.problem(name, code, f"{name} {error}, found {described(value)}", f"write a {kind}")
        return None


def _check_range(fields: Fields, param: Param) -> None:
    low, high = param.min, param.max
    if low is not None and high is not None and low > high:  # type: ignore[operator]
        message = f"min {format_value(param.type, low)} is above max"
        fields.problem("min", "min_above_max", message, "lower min or raise max")


def _read_default(fields: Fields, param: Param) -> ParamValue | None:
    if not fields.has("default"):
        return None
    if param.required:
        message = "a required param is always sent: its default can never apply"
        hint = "remove default, or set required: false"
        fields.problem("default", "default_on_required", message, hint)
    value = _literal(fields, "default", param.type, "bad_default")
    if value is None:
        return None
    try:
        _check_value(param, value)
    except ValueError as error:
        hint = "choose a default that a caller could send"
        fields.problem("default", "bad_default", f"default {error}", hint)
    return value


def _check_value(param: Param, value: ParamValue) -> None:
    if param.enum and value not in param.enum:
        raise ValueError("must be one of enum")
    check_bounds(param, value)
    if param.type == "string" and len(str(value)) > param.max_length:
        raise ValueError(f"must be at most {param.max_length} characters")


def _aliases(fields: Fields, param: Param) -> Mapping[str, str]:
    written = fields.value("aliases")
    if not fields.has("aliases"):
        return {}
    if not isinstance(written, Mapping):
        message = f"expected a mapping, found {described(written)}"
        hint = "write client_value: stored_value lines"
        fields.problem("aliases", "not_a_mapping", message, hint)
        return {}
    if len(written) > MAX_ALIASES:
        message = f"{len(written)} aliases, at most {MAX_ALIASES} are allowed"
        fields.problem("aliases", "list_too_long", message, "drop what is not used")
        return {}
    for sent, stored in written.items():
        _check_alias(fields, param, sent, stored)
    return {str(sent): str(stored) for sent, stored in written.items()}


def _check_alias(fields: Fields, param: Param, sent: object, stored: object) -> None:
    place = f"aliases.{shown_key(sent)}"
    fault = text_fault(sent, MAX_TEXT_LENGTH) or text_fault(stored, MAX_TEXT_LENGTH)
    if fault:
        fields.problem(place, *fault)
        return
    if sent in param.enum:
        message = f"{shown(str(sent))} is a value of enum itself"
        fields.problem(place, "alias_hides_value", message, "drop the alias or the value")
    try:
        parse_value(param, str(stored))
    except ValueError as error:
        hint = "the right side is the stored value: make it one the param accepts"
        fields.problem(place, "bad_alias", f"the stored value {error}", hint)
