"""Parameters: a request's pairs, checked against an endpoint's contract, into a Bound."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from json import JSONEncoder
from typing import Protocol

from offloader.catalog.model import RESERVED_PARAMS, Endpoint, Param, ParamValue
from offloader.catalog.values import (
    MAX_LITERAL_LENGTH,
    check_bounds,
    parse_list,
    parse_literal,
    parse_value,
)
from offloader.errors import RequestError
from offloader.query.query_string import invalid_param, parse_query

__all__ = ["MAX_OFFSET", "Bound", "bind", "parse_query"]

MAX_OFFSET = 2**32 - 1  # a segment's row numbers are 32 bits: every row can be reached

_INTEGER = re.compile(r"-?[0-9]+")
_canonical_json = JSONEncoder(sort_keys=True, separators=(",", ":")).encode
BoundValue = ParamValue | tuple[ParamValue, ...]


class Contract(Protocol):
    """What binding asks of a plan: the endpoint and its params by name.

    `list_params` are the names whose values are comma-separated lists.
    """

    @property
    def endpoint(self) -> Endpoint: ...
    @property
    def params(self) -> Mapping[str, Param]: ...
    @property
    def list_params(self) -> frozenset[str]: ...


@dataclass(frozen=True, slots=True)
class Bound:
    """A valid request: typed values after aliases and defaults, the page, the columns.

    `columns` are in select order. `canonical` is one text per meaning: two requests have the same
    exactly when they bind the same values, page and columns.
    """

    values: Mapping[str, BoundValue]
    limit: int
    offset: int
    columns: tuple[str, ...]
    canonical: str


def bind(plan: Contract, pairs: Sequence[tuple[str, str]]) -> Bound:
    """Check decoded pairs against the endpoint's contract and type their values.

    Raises RequestError 422 (family `invalid_param`) for the first rule broken, in this order:
    unknown names, missing ones, the combination, each declared param, limit, offset, columns.
    """
    endpoint = plan.endpoint
    sent = dict(pairs)
    _check_names(plan, sent)
    _check_combination(endpoint, sent)
    values = _values(plan, sent)
    limit = endpoint.default_limit
    if "limit" in sent:
        limit = _whole("limit", sent["limit"], 1, endpoint.max_limit)
    offset = _whole("offset", sent["offset"], 0, MAX_OFFSET) if "offset" in sent else 0
    columns = endpoint.columns
    if "columns" in sent:
        columns = _subset(endpoint.columns, sent["columns"])
    return Bound(values, limit, offset, columns, _canonical_json([values, limit, offset, columns]))


def _check_names(plan: Contract, sent: Mapping[str, str]) -> None:
    for name in sent:
        if name == "cursor":
            remedy = "cursor is not served yet: page with limit and offset"
            raise invalid_param("unknown_param", remedy, name)
        if name not in plan.params and name not in RESERVED_PARAMS:
            raise invalid_param("unknown_param", "remove it: the endpoint does not take it", name)
    for param in plan.endpoint.params:
        if param.required and param.default is None and param.name not in sent:
            raise invalid_param("missing_param", f"{param.name} is required: send it", param.name)


def _check_combination(endpoint: Endpoint, sent: Mapping[str, str]) -> None:
    if endpoint.combinations and (sent.keys() - RESERVED_PARAMS) not in endpoint.combinations:
        sets = sorted(", ".join(sorted(names)) or "none" for names in endpoint.combinations)
        shown = "; ".join(sets[:10])
        raise invalid_param("bad_combination", f"send one of these sets of parameters: {shown}")


def _values(plan: Contract, sent: Mapping[str, str]) -> dict[str, BoundValue]:
    values: dict[str, BoundValue] = {}
    for param in plan.endpoint.params:
        text = sent.get(param.name)
        is_list = param.name in plan.list_params
        if text is not None:
            values[param.name] = _listed(param, text) if is_list else _single(param, text)
        elif param.default is not None:
            values[param.name] = (param.default,) if is_list else param.default
    return values


def _single(param: Param, text: str) -> ParamValue:
    try:
        return parse_value(param, text)
    except ValueError as error:
        raise _refused(param, _code(param, text), error) from None


def _listed(param: Param, text: str) -> tuple[ParamValue, ...]:
    """Parse a list; its order and repeats change no answer, so neither may change the ETag."""
    try:
        return tuple(sorted(parse_list(param, text)))
    except ValueError as error:
        codes = (_code(param, item) for item in text.split(",", 100) if item)
        code = next((c for c in codes if c), "bad_list")
        raise _refused(param, code, error) from None


def _refused(param: Param, code: str, error: ValueError) -> RequestError:
    return invalid_param(code, f"{param.name} {error}", param.name)


def _code(param: Param, text: str) -> str:
    """Name the first rule of `parse_value` that `text` breaks, or "" when it breaks none."""
    text = param.aliases.get(text, text)
    try:
        value = parse_literal(param.type, text)
    except ValueError:
        return "bad_type"
    if param.enum and value not in param.enum:
        return "not_in_enum"
    try:
        check_bounds(param, value)
    except ValueError:
        return "out_of_range"
    return "too_long" if param.type == "string" and len(text) > param.max_length else ""


def _whole(name: str, text: str, least: int, greatest: int) -> int:
    if not _INTEGER.fullmatch(text):
        raise invalid_param("bad_type", f"{name} must be an integer", name)
    number = int(text) if len(text) <= MAX_LITERAL_LENGTH else -1
    if not least <= number <= greatest:
        raise invalid_param("out_of_range", f"{name} must be from {least} to {greatest}", name)
    return number


def _subset(allowed: tuple[str, ...], text: str) -> tuple[str, ...]:
    wanted = text.split(",")
    if "" in wanted:
        raise invalid_param("bad_list", "columns must list names without empty ones", "columns")
    if not set(wanted) <= set(allowed):
        shown = ", ".join(allowed[:20]) + (", …" if len(allowed) > 20 else "")
        raise invalid_param("unknown_column", f"columns must be some of {shown}", "columns")
    if len(set(wanted)) < len(wanted):
        raise invalid_param("repeated_column", "columns must name each column once", "columns")
    return tuple(name for name in allowed if name in wanted)
