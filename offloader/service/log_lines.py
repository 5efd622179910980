"""How a log line is written: a JSON object, or text for who reads along on a terminal."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

_MAX_TRACEBACK = 16_000  # characters: of one that is longer, the end
_MAX_FRAMES = 40
_MAX_CAUSES = 8


class JsonLines(logging.Formatter):
    """Writes a record as one JSON object (RFC 8259) on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        line = {
            "time": moment(record.created),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "process": record.process,
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = _traceback(record)
        try:
            return _strict.encode(line)
        except ValueError:  # a float that JSON does not know, or a circle
            return _strict.encode({name: _plain(value) for name, value in line.items()})


class TextLines(logging.Formatter):
    """Writes a record as time, level, event and fields; a traceback on lines of its own.

    One with a `banner` is written as that.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, or the lines, without the last end."""
        banner: str | None = getattr(record, "banner", None)
        if banner is not None:
            return banner
        fields = getattr(record, "fields", {})
        pairs = "".join(f" {name}={_shown(value)}" for name, value in fields.items())
        level = "" if record.levelno == logging.INFO else f" {record.levelname.lower()}"
        line = f"{moment(record.created)[11:19]}{level} {record.getMessage()}{pairs}"
        if record.exc_info:
            line += "\n" + _traceback(record)
        return line


def moment(seconds: float) -> str:
    """Return a time, seconds since the epoch, as log lines tell it: UTC, to the millisecond."""
    found = datetime.fromtimestamp(seconds, UTC)
    return found.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def places_of(error: BaseException) -> str:
    """Return where an error and its causes were raised, and their kinds, without any message.

    A message may hold what a caller sent: a KeyError's is nothing else.
    """
    return "\n".join(map(_places, _with_causes(error)))


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    for _ in range(_MAX_CAUSES):
        yield error
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if cause is None:
            return
        error = cause


def _places(error: BaseException) -> str:
    frames = traceback.format_tb(error.__traceback__, -_MAX_FRAMES)
    kind = type(error)
    return f"{''.join(frames)}{kind.__module__}.{kind.__qualname__}"


def _traceback(record: logging.LogRecord) -> str:
    assert record.exc_info
    _, error, _ = record.exc_info
    if error is None:
        return ""
    is_private = getattr(record, "is_private", False)
    text = places_of(error) if is_private else "".join(traceback.format_exception(error)).rstrip()
    return text[-_MAX_TRACEBACK:]


def _shown(value: object) -> str:
    text = str(value)
    if text and text.isprintable() and not set(text) & set(' "='):
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | None) else str(value)


_strict = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=str)
