"""Log lines: one event a line, as JSON, or as text on a terminal.

An event is a name and fields, and `docs/operations/logs.md` lists them all. No field holds a
secret, a key, a tenant, a raw parameter or a query string.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping

from offloader.errors import OffloaderError
from offloader.service.log_lines import JsonLines, TextLines, moment
from offloader.service.log_output import LineOutput, made_record

__all__ = [
    "LOGGER",
    "broke",
    "configure_logging",
    "error",
    "event",
    "failed",
    "flush",
    "moment",
    "request_broke",
    "starting",
    "warning",
]

LOGGER = logging.getLogger("offloader")
_SANIC = ("sanic.root", "sanic.error", "sanic.access", "sanic.server", "sanic.websockets")
# When it is not written as it should be, the first repeats an exporter's credentials, the second
# what a caller sent.
_NEVER_HEARD = ("opentelemetry.util.re", "opentelemetry.trace.span")


def configure_logging(level: str, log_format: str) -> None:
    """Send every log line of this process to stderr, in `json` or `text`."""
    flush()
    output = LineOutput(LOGGER.name)
    output.setFormatter(JsonLines() if log_format == "json" else TextLines())
    root = logging.getLogger()
    root.handlers[:] = [output]
    root.setLevel(logging.WARNING)
    LOGGER.setLevel(level.upper())
    for name in _SANIC:
        other = logging.getLogger(name)
        other.handlers.clear()
        other.propagate = True
        other.setLevel(logging.WARNING)
    for name in _NEVER_HEARD:
        logging.getLogger(name).disabled = True
    threading.excepthook = _thread_broke


def flush() -> None:
    """Write the counts of what repeated; the process is about to end."""
    for output in logging.getLogger().handlers:
        if isinstance(output, LineOutput):
            output.flush_repeats()


def event(name: str, level: int = logging.INFO, **fields: object) -> None:
    """Write one event."""
    _say(level, name, fields)


def warning(name: str, **fields: object) -> None:
    """Write one event that somebody should look at."""
    _say(logging.WARNING, name, fields)


def error(name: str, **fields: object) -> None:
    """Write one event that somebody must act on."""
    _say(logging.ERROR, name, fields)


def failed(name: str, error: OffloaderError, **fields: object) -> None:
    """Write one event that somebody should look at, with code, message and hint of an error."""
    shown = {"code": error.code, "message": error.message, "hint": error.hint}
    _say(logging.WARNING, name, {**fields, **shown})


def broke(name: str, error: BaseException, **fields: object) -> None:
    """Write one event about an error that nobody foresaw, with its traceback."""
    _say(logging.ERROR, name, fields, error)


def request_broke(error: BaseException, **fields: object) -> None:
    """Write that a request broke, and where; messages may hold what its caller sent."""
    _say(logging.ERROR, "request_broke", fields, error, is_private=True)


def starting(banner: str, **fields: object) -> None:
    """Write that the service starts: on a terminal the banner, else an event."""
    _say(logging.INFO, "starting", fields, banner=banner)


def _say(
    level: int,
    name: str,
    fields: Mapping[str, object],
    error: BaseException | None = None,
    *,
    is_private: bool = False,
    banner: str | None = None,
) -> None:
    if LOGGER.isEnabledFor(level):
        LOGGER.handle(
            made_record(
                LOGGER.name, level, name, dict(fields), error, is_private=is_private, banner=banner
            )
        )


def _thread_broke(told: threading.ExceptHookArgs) -> None:
    if told.exc_value is not None and not isinstance(told.exc_value, SystemExit):
        broke("thread_broke", told.exc_value, thread=told.thread.name if told.thread else None)
