"""Rules of log lines: one event is one line, whatever its fields hold."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator

import pytest

from offloader.service import log

Configure = Callable[[str, str], io.StringIO]


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    """Configure logging onto a stream that the test reads; undo it afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def configured(level: str, log_format: str) -> io.StringIO:
        stream = io.StringIO()
        monkeypatch.setattr(sys, "stderr", stream)
        log.configure_logging(level, log_format)
        return stream

    yield configured
    root.handlers[:] = handlers
    root.setLevel(level)
    log.LOGGER.setLevel(logging.NOTSET)


def test_an_event_is_one_json_object(configure: Configure) -> None:
    """Time, level, event and process come first, then the fields, in order."""
    stream = configure("info", "json")
    log.event("swapped", dataset="usage", rows=5, seconds=0.5)
    line = json.loads(stream.getvalue())
    assert list(line) == ["time", "level", "event", "process", "dataset", "rows", "seconds"]
    assert (line["level"], line["event"], line["process"]) == ("info", "swapped", os.getpid())
    assert (line["dataset"], line["rows"], line["seconds"]) == ("usage", 5, 0.5)
    assert len(line["time"]) == len("2026-06-01T00:00:00.000Z")
    assert line["time"].endswith("Z")


def test_times_are_utc_with_milliseconds(configure: Configure) -> None:
    """A moment is written as the API writes it."""
    assert log.moment(1_780_272_000.0) == "2026-06-01T00:00:00.000Z"
    assert log.moment(1_780_272_000.5) == "2026-06-01T00:00:00.500Z"


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_no_field_can_begin_a_line_of_its_own(configure: Configure, log_format: str) -> None:
    """Line breaks in a value are escaped, so nobody can forge an event."""
    stream = configure("info", log_format)
    log.event("refresh_failed", message="a\nb\r\x1b[31m\u2028c")
    line = stream.getvalue()
    assert line.index("\n") == len(line) - 1
    assert not set(line) & {"\r", "\x1b"}
    if log_format == "text":
        assert line[:-1].isprintable()


def test_text_lines_show_time_level_event_and_fields(configure: Configure) -> None:
    """A value that would be misread stands in quotes."""
    stream = configure("info", "text")
    log.event("starting", api="host:80", note="two words", empty="", pair="a=b", number=3)
    log.warning("low")
    log.error("broke")
    first, second, third = (line[9:] for line in stream.getvalue().splitlines())
    assert first == 'starting api=host:80 note="two words" empty="" pair="a=b" number=3'
    assert (second, third) == ("warning low", "error broke")


@pytest.mark.parametrize(("level", "count"), [("debug", 3), ("info", 3), ("warning", 2)])
def test_lines_below_the_level_are_not_written(
    configure: Configure, level: str, count: int
) -> None:
    """The level is the least that is shown."""
    stream = configure(level, "json")
    log.event("one")
    log.warning("two")
    log.error("three")
    assert len(stream.getvalue().splitlines()) == count


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_traceback_is_logged_with_its_event(configure: Configure, log_format: str) -> None:
    """An exception's place can be found; in JSON it stays on the line of its event."""
    stream = configure("info", log_format)
    try:
        raise ValueError("the reason")
    except ValueError as error:
        log.LOGGER.error("broke", exc_info=error)
    assert "ValueError: the reason" in stream.getvalue()
    if log_format == "json":
        assert "ValueError: the reason" in json.loads(stream.getvalue())["traceback"]


def test_other_libraries_are_heard_from_warnings_on(configure: Configure) -> None:
    """The server's own chatter is left out, its warnings come in our format."""
    stream = configure("debug", "json")
    logging.getLogger("sanic.root").info("chatter")
    logging.getLogger("sanic.error").warning("heard")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["heard"]


def test_a_value_that_json_does_not_know_is_written_as_text(configure: Configure) -> None:
    """Logging never raises over a field."""
    stream = configure("info", "json")
    log.event("looked", error=ValueError("x"))
    assert json.loads(stream.getvalue())["error"] == "x"
