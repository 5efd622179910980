"""Log lines as they may leave the house: no secret, no caller's parameter, none of long ago."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any

from offloader.service.redaction import MASK, Redactor

_SECRET_NAME = re.compile(
    r"(?i)auth|bearer|cookie|credential|passw|private_?key|secret|session|signature|tenant|token"
    r"|^(?:api|access)_?key|^(?:key|hash|params?|query|query_string|url_params|args)$"
)
# Fields of our own events, whatever the params of endpoints are called.
_OUR_FIELDS = frozenset(
    (
        *("time", "level", "event", "process", "dataset", "endpoint", "snapshot", "snapshot_id"),
        *("code", "message", "hint", "status", "method", "request_id", "generation", "rows"),
        *("bytes", "seconds", "version", "workers", "reason", "kind"),
    )
)
_PAIR = re.compile(
    r"(?P<name>[A-Za-z_][\w.-]*)(?P<middle>[\\\"']*\s*[=:]\s*)"
    r"(?P<value>\[redacted\]|\\?\"(?:[^\"\\]|\\.)*\"?|'[^']*'?|\{[^}]*\}?|[^\s\"',;&}\]]+)"
)
_OPAQUE = re.compile(r"(?<![A-Za-z0-9+_-])[A-Za-z0-9+_-]{40,}={0,2}")
_MOST_LINE = 16 * 1024
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")


def redacted_lines(
    lines: Iterable[str], redactor: Redactor, params: Collection[str], since: float | None
) -> Iterator[str]:
    """Yield the lines without secrets; `params` are names behind which callers' values stand.

    `since` is seconds since the epoch: older lines are left out, and those without a time when the
    line before them is.
    """
    names = frozenset(params) - _OUR_FIELDS
    is_wanted = True
    for line in lines:
        at = _moment(line)
        is_wanted = is_wanted if at is None else since is None or at >= since
        if is_wanted:
            yield _line(line.rstrip("\r\n")[:_MOST_LINE], redactor, names)


def _line(line: str, redactor: Redactor, params: Collection[str]) -> str:
    if line.startswith("{"):
        try:
            document = json.loads(line)
        except (ValueError, RecursionError):
            document = None
        if isinstance(document, dict):
            shown = _value(document, redactor, params)
            return redactor.text(json.dumps(shown, ensure_ascii=False))
    return _text(line, redactor, params)


def _value(value: Any, redactor: Redactor, params: Collection[str]) -> Any:
    if isinstance(value, dict):
        return {
            redactor.text(str(name)): MASK
            if _is_secret(str(name), params)
            else _value(one, redactor, params)
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [_value(one, redactor, params) for one in value]
    return _text(value, redactor, params) if isinstance(value, str) else value


def _text(text: str, redactor: Redactor, params: Collection[str]) -> str:
    text = redactor.text(text)
    text = _PAIR.sub(
        lambda match: (
            match["name"] + match["middle"] + MASK
            if _is_secret(match["name"], params)
            else match[0]
        ),
        text,
    )
    return _OPAQUE.sub(_masked_if_mixed, text)


def _is_secret(name: str, params: Collection[str]) -> bool:
    return name not in _OUR_FIELDS and (name in params or bool(_SECRET_NAME.search(name)))


def _masked_if_mixed(match: re.Match[str]) -> str:
    """Mask what no name or id of ours looks like: long, with both cases and digits."""
    text = match[0]
    is_mixed = any(c.isupper() for c in text) and any(c.islower() for c in text)
    return MASK if is_mixed and any(c.isdigit() for c in text) else text


def _moment(line: str) -> float | None:
    """Return the first time in a line, in seconds since the epoch, None when there is none."""
    match = _TIME.search(line[:200])
    if match is None:
        return None
    try:
        return datetime.fromisoformat(match[0]).timestamp()
    except ValueError:
        return None
