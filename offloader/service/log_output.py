"""Where log lines go: to stderr, one of a kind in ten seconds where it is a warning or an error."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Hashable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from offloader.service.log_repeats import Repeats

# They differ each time the same thing happens.
_PASSING = frozenset({"request_id", "trace_id", "span_id", "seconds"})
_QUERY = re.compile(r"\?[^\s'\"<>]+")
_CALL = re.compile(r"[<(]")
_MAX_FOREIGN_TEXT = 500


@dataclass(frozen=True, slots=True)
class _Said:
    """What is kept of a line: not its error, whose frames would keep what they worked on."""

    level: int
    name: str
    fields: dict[str, Any]


class LineOutput(logging.StreamHandler[Any]):
    """Writes records to stderr; those of other libraries as the event `library`."""

    def __init__(self, own: str) -> None:
        super().__init__(sys.stderr)
        self._own = own
        self._repeats = Repeats(self._write_repeated)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, unless it is a warning like one of the last ten seconds."""
        if record.name != self._own:
            record = _of_library(record)
        if record.levelno < logging.WARNING or self._is_first(record):
            super().emit(record)

    def flush_repeats(self) -> None:
        """Write what was counted and not written yet."""
        self._repeats.flush()

    def _is_first(self, record: logging.LogRecord) -> bool:
        said = _Said(record.levelno, record.getMessage(), getattr(record, "fields", {}))
        return self._repeats.is_first(_kind(record, said), said)

    def _write_repeated(self, said: _Said, count: int) -> None:
        fields = {**said.fields, "repeated": count}
        record = made_record(self._own, said.level, said.name, fields)
        self.acquire()
        try:
            super().emit(record)
        finally:
            self.release()


def made_record(
    logger: str,
    level: int,
    name: str,
    fields: dict[str, Any],
    error: BaseException | None = None,
    *,
    is_private: bool = False,
    banner: str | None = None,
) -> logging.LogRecord:
    """Make a record; the logger's own way also looks for the line of code that speaks."""
    told = None if error is None else (type(error), error, error.__traceback__)
    record = logging.LogRecord(logger, level, "", 0, name, None, told)
    record.__dict__.update(fields=fields, is_private=is_private, banner=banner)
    return record


def _of_library(record: logging.LogRecord) -> logging.LogRecord:
    """Return what another library says as an event: one line, no query of a URL."""
    message = _QUERY.sub("?…", _text_of(record).partition("\n")[0])[:_MAX_FOREIGN_TEXT]
    fields = {"logger": record.name, "message": message}
    error = record.exc_info[1] if record.exc_info else None
    return made_record(record.name, record.levelno, "library", fields, error, is_private=True)


def _text_of(record: logging.LogRecord) -> str:
    """Return what a library says, without what may be a caller's.

    Sanic names the URL that broke it, asyncio shows the call that failed, with what was received.
    """
    library = record.name.partition(".")[0]
    if library == "sanic":
        return str(record.msg)
    return _CALL.split(record.getMessage())[0] if library == "asyncio" else record.getMessage()


def _kind(record: logging.LogRecord, said: _Said) -> Hashable:
    fields = [(name, value) for name, value in said.fields.items() if name not in _PASSING]
    place: Hashable = None
    if record.exc_info and record.exc_info[1] is not None:
        place = type(record.exc_info[1]).__qualname__, _innermost(record.exc_info[2])
    # A digest: the fields may be long, and a thousand kinds are kept.
    return said.level, said.name, hash(repr(fields)), place


def _innermost(trace: TracebackType | None) -> tuple[str, int] | None:
    """Return file and line of where an error was raised."""
    if trace is None:
        return None
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame.f_code.co_filename, trace.tb_lineno
