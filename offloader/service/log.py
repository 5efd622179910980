"""Log lines: one event a line, as JSON, or as text on a terminal.

An event is a name and fields. No field holds a secret, a key, a tenant or a raw parameter.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

LOGGER = logging.getLogger("offloader")


def configure_logging(level: str, log_format: str) -> None:
    """Send every log line of this process to stderr, in `json` or `text`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines() if log_format == "json" else _TextLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    LOGGER.setLevel(level.upper())
    for name in ("sanic.root", "sanic.error", "sanic.access", "sanic.server", "sanic.websockets"):
        other = logging.getLogger(name)
        other.handlers.clear()
        other.propagate = True
        other.setLevel(logging.WARNING)


def event(name: str, level: int = logging.INFO, **fields: object) -> None:
    """Write one event."""
    LOGGER.log(level, name, extra={"fields": fields})


def warning(name: str, **fields: object) -> None:
    """Write one event that somebody should look at."""
    event(name, logging.WARNING, **fields)


def error(name: str, **fields: object) -> None:
    """Write one event that somebody must act on."""
    event(name, logging.ERROR, **fields)


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": moment(record.created),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "process": record.process,
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class _TextLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "fields", {})
        pairs = "".join(f" {name}={_shown(value)}" for name, value in fields.items())
        level = "" if record.levelno == logging.INFO else f" {record.levelname.lower()}"
        line = f"{moment(record.created)[11:19]}{level} {record.getMessage()}{pairs}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def moment(seconds: float) -> str:
    """Return a time, seconds since the epoch, as log lines tell it: UTC, to the millisecond."""
    found = datetime.fromtimestamp(seconds, UTC)
    return found.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _shown(value: object) -> str:
    text = str(value)
    if text and text.isprintable() and not set(text) & set(' "='):
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())
