"""Rules of log lines: one event is one line, whatever its fields hold."""

from __future__ import annotations

import gc
import io
import json
import logging
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from offloader.errors import StartError
from offloader.service import log

Configure = Callable[[str, str], io.StringIO]


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    """Configure logging onto a stream that the test reads; undo it afterwards."""
    root = logging.getLogger()
    handlers, level, hook = root.handlers[:], root.level, threading.excepthook

    def configured(level: str, log_format: str) -> io.StringIO:
        stream = io.StringIO()
        monkeypatch.setattr(sys, "stderr", stream)
        log.configure_logging(level, log_format)
        return stream

    yield configured
    root.handlers[:] = handlers
    root.setLevel(level)
    threading.excepthook = hook
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
    log.broke("broke", raised("the reason"))
    assert "ValueError: the reason" in stream.getvalue()
    assert "in raised" in stream.getvalue()
    if log_format == "json":
        assert "ValueError: the reason" in json.loads(stream.getvalue())["traceback"]


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_of_a_request_that_broke_only_the_place_is_told(
    configure: Configure, log_format: str
) -> None:
    """What an error says, or its cause, may be what the caller sent; notes, too."""
    stream = configure("info", log_format)
    try:
        try:
            dict[str, str]()["sent-by-caller"]
        except KeyError as error:
            error.add_note("sent-by-caller")
            raise ValueError("sent-by-caller") from error
    except ValueError as error:
        log.request_broke(error, request_id="r-1", endpoint="usage")
    line = stream.getvalue()
    assert line.count("sent-by-caller") == 2  # the code itself, which Python shows
    assert "builtins.ValueError" in line
    assert "builtins.KeyError" in line
    if log_format == "json":
        found = json.loads(line)
        assert (found["event"], found["level"]) == ("request_broke", "error")
        assert (found["request_id"], found["endpoint"]) == ("r-1", "usage")


def test_an_endless_traceback_has_an_end(configure: Configure) -> None:
    """Of one with a thousand frames, the last are told."""
    stream = configure("info", "json")

    def deeper(depth: int) -> None:
        deeper(depth + 1)

    for tell in (log.broke, lambda _, error: log.request_broke(error)):
        try:
            deeper(0)
        except RecursionError as error:
            tell("broke", error)
    for line in stream.getvalue().splitlines():
        assert 100 < len(json.loads(line)["traceback"]) <= 16_000


def test_other_libraries_are_heard_from_warnings_on(configure: Configure) -> None:
    """The server's own chatter is left out, its warnings are events of ours."""
    stream = configure("debug", "json")
    logging.getLogger("sanic.root").info("chatter")
    logging.getLogger("sanic.error").warning("heard")
    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"]) == ("library", "warning")
    assert (line["logger"], line["message"]) == ("sanic.error", "heard")


def test_what_a_library_repeats_of_a_request_is_left_out(configure: Configure) -> None:
    """The server's URL, the loop's call with what was received, a query, credentials, a state."""
    stream = configure("debug", "json")
    logging.getLogger("sanic.error").error("broke in %r for %s", "it", "http://h/SECRET?k=SECRET")
    logging.getLogger("asyncio").error("Exception in callback <Handle f(b'SECRET')>\nSECRET")
    logging.getLogger("urllib3").warning("no answer: /a?X-Signature=SECRET&b=1 (tried again)")
    logging.getLogger("opentelemetry.util.re").warning("not a header: SECRET")
    logging.getLogger("opentelemetry.trace.span").warning("not a member: SECRET")
    logging.getLogger("any").exception("broke", exc_info=raised("SECRET"))
    messages = [json.loads(line)["message"] for line in stream.getvalue().splitlines()]
    assert "SECRET" not in stream.getvalue()
    assert messages == [
        "broke in %r for %s",
        "Exception in callback ",
        "no answer: /a?… (tried again)",
        "broke",
    ]


def test_a_value_that_json_does_not_know_is_written_as_text(configure: Configure) -> None:
    """Logging never raises over a field, and every line is JSON."""
    stream = configure("info", "json")
    circle: list[object] = []
    circle.append(circle)
    log.event("looked", error=ValueError("x"), part=Path("a/b"))
    log.event("looked", seconds=float("nan"), circle=circle, rows=5, snapshot=None)
    first, second = (json.loads(line, parse_constant=pytest.fail) for line in lines_of(stream))
    assert (first["error"], first["part"]) == ("x", "a/b")
    assert (second["seconds"], second["circle"]) == ("nan", "[[...]]")
    assert (second["rows"], second["snapshot"]) == (5, None)


def test_warnings_and_errors_that_repeat_are_counted(configure: Configure) -> None:
    """The same but for ids and times; what differs is written, and what is only told, always."""
    stream = configure("info", "json")
    for number in range(3):
        log.warning("state_not_saved", reason="full", seconds=number)
        log.error("state_not_saved", reason="full")
        log.warning("state_not_saved", reason=f"other {number}")
        log.event("checking_everything")
        log.request_broke(raised("a"), request_id=f"{number}")
    log.request_broke(KeyError("elsewhere"), request_id="4")
    written = [json.loads(line) for line in lines_of(stream)]
    assert [line["level"] for line in written].count("info") == 3
    assert len(written) == 3 + 1 + 1 + 3 + 1 + 1
    log.flush()
    late = [json.loads(line) for line in lines_of(stream)[len(written) :]]
    assert [(line["event"], line["level"], line["repeated"]) for line in late] == [
        ("state_not_saved", "warning", 2),
        ("state_not_saved", "error", 2),
        ("request_broke", "error", 2),
    ]
    assert late[0]["seconds"] == 2
    assert late[2]["request_id"] == "2"
    assert "traceback" not in late[2]


def test_a_line_that_is_held_back_keeps_no_error(configure: Configure) -> None:
    """Its frames would keep what they worked on, such as a generation, from being freed."""
    configure("info", "json")

    class Large:
        pass

    def broken(held: Large) -> None:
        raise ValueError(id(held))

    large = Large()
    gone = weakref.ref(large)
    for _ in range(2):
        try:
            broken(large)
        except ValueError as error:
            log.request_broke(error)
    del large
    gc.collect()
    assert gone() is None


def test_an_error_says_code_message_and_hint(configure: Configure) -> None:
    """Behind the fields of the event."""
    stream = configure("info", "json")
    log.failed("config_not_kept", StartError("cache_full", "it is full", "free it"), location="x")
    line = json.loads(stream.getvalue())
    assert list(line)[4:] == ["location", "code", "message", "hint"]
    assert (line["level"], line["code"], line["hint"]) == ("warning", "cache_full", "free it")


def test_a_thread_that_breaks_is_an_event(configure: Configure) -> None:
    """No bare traceback among the lines."""
    stream = configure("info", "json")
    thread = threading.Thread(target=raised, args=("it", True), name="looker")
    thread.start()
    thread.join()
    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"], line["thread"]) == ("thread_broke", "error", "looker")
    assert "ValueError: it" in line["traceback"]


def test_a_start_is_a_banner_on_a_terminal_and_an_event_elsewhere(configure: Configure) -> None:
    """Both say the same."""
    stream = configure("info", "text")
    log.starting("Offloader\n  API  here", api="here")
    assert stream.getvalue() == "Offloader\n  API  here\n"
    stream = configure("info", "json")
    log.starting("Offloader\n  API  here", api="here")
    assert {"event": "starting", "api": "here"}.items() <= json.loads(stream.getvalue()).items()


def raised(text: str, is_raised: bool = False) -> ValueError:
    """Return an error that was raised, always at the same place."""
    try:
        raise ValueError(text)
    except ValueError as error:
        if is_raised:
            raise
        return error


def lines_of(stream: io.StringIO) -> list[str]:
    """Return the lines written so far."""
    return stream.getvalue().splitlines()
