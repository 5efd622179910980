"""Read JSON that others wrote, with nothing left to interpretation.

Refused: repeated keys (RFC 8259 leaves their meaning open), NaN and Infinity, lone surrogates,
anything but UTF-8, and nesting deeper than asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NoReturn

_SHOWN = 60
_MAX_DIGITS = 400


def parse_strict_json(raw: bytes, *, max_depth: int) -> object:
    """Parse one JSON document; raise ValueError whose message states what is wrong and where."""
    try:
        text = raw.decode("utf-8")
        document = json.loads(
            text,
            object_pairs_hook=_unique_keys,
            parse_constant=_no_constant,
            parse_int=_integer,
        )
        canonical_json(document)
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg}, line {error.lineno} column {error.colno}") from None
    except UnicodeEncodeError:
        raise ValueError("a string holds half of a surrogate pair") from None
    except RecursionError:
        raise ValueError(f"nested deeper than {max_depth} levels") from None
    if _is_deeper(document, max_depth):
        raise ValueError(f"nested deeper than {max_depth} levels")
    return document


def canonical_json(document: object) -> bytes:
    """Return the one JSON text of a document: sorted keys, no spaces, UTF-8."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8")


def shown(text: str) -> str:
    """Return `text` quoted and cut short, fit for one line of a message."""
    cut = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    return json.dumps(cut, ensure_ascii=not cut.isprintable())


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {shown(key)} is repeated in one object")
        found[key] = value
    return found


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"a number of more than {_MAX_DIGITS} digits")
    return int(text)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _is_deeper(document: object, max_depth: int) -> bool:
    level = [document]
    for _ in range(max_depth):
        level = [child for parent in level for child in _containers(parent)]
        if not level:
            return False
    return True


def _containers(parent: object) -> Iterator[object]:
    children: Iterator[object] = iter(())
    if isinstance(parent, dict):
        children = iter(parent.values())
    elif isinstance(parent, list):
        children = iter(parent)
    return (child for child in children if isinstance(child, dict | list))
