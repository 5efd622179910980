"""Parameters: a request's pairs, checked against an endpoint's contract, into a Bound."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from offloader.catalog.model import RESERVED_PARAMS, Endpoint, Param, ParamValue
from offloader.catalog.values import (
    MAX_LITERAL_LENGTH,
    check_bounds,
    parse_list,
    parse_literal,
    parse_value,
)
from offloader.errors import RequestError
from offloader.query.cursor import Cursor, bad_cursor, read_cursor
from offloader.query.query_string import invalid_param, parse_query

__all__ = ["MAX_OFFSET", "Bound", "Signature", "bind", "make_signature", "parse_query"]

MAX_OFFSET = 2**32 - 1  # a segment's row numbers are 32 bits: every row can be reached

_INTEGER = re.compile(r"-?[0-9]+")
BoundValue = ParamValue | tuple[ParamValue, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Signature:
    """What an endpoint can be called with, prepared once: which names, how each is read.

    `params` are by name; `list_params` take comma-separated lists. `readers` type the text of a
    param; `defaults` stand for params that are not sent. Both are in the contract's order.
    """

    endpoint: Endpoint
    params: Mapping[str, Param]
    list_params: frozenset[str]
    names: frozenset[str]
    required: tuple[str, ...]
    combinations: frozenset[frozenset[str]]
    readers: tuple[tuple[str, Callable[[str], BoundValue], BoundValue | None], ...]
    columns_text: str


def make_signature(endpoint: Endpoint) -> Signature:
    """Prepare an endpoint's contract for binding.

    Raises ValueError when an `in` filter shares its param with another op.
    """
    listed = _list_params(endpoint)
    params = {param.name: param for param in endpoint.params}
    return Signature(
        endpoint=endpoint,
        params=params,
        list_params=listed,
        names=RESERVED_PARAMS.union(params),
        required=tuple(p.name for p in endpoint.params if p.required and p.default is None),
        combinations=frozenset(endpoint.combinations),
        readers=tuple(_reader(param, is_list=param.name in listed) for param in endpoint.params),
        columns_text=ascii(endpoint.columns),
    )


@dataclass(slots=True)
class Bound:
    """A valid request: typed values after aliases and defaults, the page, the columns.

    `columns` are in select order. `canonical` is one text per meaning: two requests have the same
    exactly when they bind the same values, page and columns. `cursor` is what the offset came from,
    if it was not sent as such. `names` are those of the values, in the contract's order.
    """

    values: Mapping[str, BoundValue]
    limit: int
    offset: int
    columns: tuple[str, ...]
    canonical: str
    cursor: Cursor | None = None
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.names = tuple(self.values)


def bind(signature: Signature, sent: Mapping[str, str]) -> Bound:
    """Check decoded values by name against the endpoint's contract and type their values.

    Raises RequestError 422 (family `invalid_param`) for the first rule broken, in this order:
    unknown names, missing ones, the combination, each declared param, limit, offset, cursor,
    columns.
    """
    endpoint = signature.endpoint
    _check_names(signature, sent)
    values: dict[str, BoundValue] = {}
    for name, read, default in signature.readers:
        text = sent.get(name)
        if text is not None:
            values[name] = read(text)
        elif default is not None:
            values[name] = default
    limit, offset, columns = endpoint.default_limit, 0, endpoint.columns
    if "limit" in sent:
        limit = _whole("limit", sent["limit"], 1, endpoint.max_limit)
    if "offset" in sent:
        offset = _whole("offset", sent["offset"], 0, MAX_OFFSET)
    cursor = None
    if "cursor" in sent:
        if "offset" in sent:
            raise bad_cursor("send cursor or offset, not both")
        cursor = read_cursor(sent["cursor"])
        offset = cursor.offset
    if "columns" in sent:
        columns = _subset(endpoint.columns, sent["columns"])
    # Of plain values, in one order: one text per meaning, on every version of Python.
    shown = signature.columns_text if columns is endpoint.columns else ascii(columns)
    canonical = f"{values!a}{limit},{offset}{shown}"
    return Bound(values, limit, offset, columns, canonical, cursor)


def _check_names(signature: Signature, sent: Mapping[str, str]) -> None:
    names = sent.keys()
    if not names <= signature.names:
        name = next(name for name in names if name not in signature.names)
        raise invalid_param("unknown_param", "remove it: the endpoint does not take it", name)
    for name in signature.required:
        if name not in sent:
            raise invalid_param("missing_param", f"{name} is required: send it", name)
    if signature.combinations and (names - RESERVED_PARAMS) not in signature.combinations:
        listed = signature.endpoint.combinations
        sets = sorted(", ".join(sorted(allowed)) or "none" for allowed in listed)
        shown = "; ".join(sets[:10])
        raise invalid_param("bad_combination", f"send one of these sets of parameters: {shown}")


def _list_params(endpoint: Endpoint) -> frozenset[str]:
    """Return the params of `in` filters; raise ValueError when another op shares one."""
    listed = frozenset(item.param for item in endpoint.filters if item.op == "in")
    for item in endpoint.filters:
        if item.op != "in" and item.param in listed:
            raise ValueError(f"param {item.param} is a list, so {item.op} cannot use it")
    return listed


def _reader(
    param: Param, *, is_list: bool
) -> tuple[str, Callable[[str], BoundValue], BoundValue | None]:
    default: BoundValue | None = param.default
    if param.type == "string" and not is_list and not param.aliases and not param.enum:
        return param.name, _text_reader(param), default
    if is_list and param.default is not None:
        default = (param.default,)
    return param.name, partial(_listed if is_list else _single, param), default


def _text_reader(param: Param) -> Callable[[str], str]:
    """Return what reads plain text: a query string holds neither a NUL nor half a character."""
    most = param.max_length

    def read(text: str) -> str:
        return text if len(text) <= most else str(_single(param, text))

    return read


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
