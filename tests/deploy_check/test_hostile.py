"""Whatever answers, the gate ends in time, says what came, and prints plain characters only."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.deploy_check.front import Sent, front
from tests.deploy_check.gate import LINE, SCRIPT, Checked, gate_for
from tests.deploy_check.raw_server import (
    Behaviour,
    drips,
    hangs,
    raw_server,
    says,
    without_end,
)
from tests.deploy_check.site import Site
from tests.http_replies import Reply
from tests.service_process import wait_until

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
ENDLESS = OK + b"Transfer-Encoding: chunked\r\n\r\n"
MOST_SECONDS = 90.0
NO_END = ("came no whole answer within 1 s", "came no whole answer within", "came ")
_END = re.compile(r"deploy-check (passed|FAILED with \d+, [a-z]+): [0-9a-z, ]+")
EVIL = '\x1b[31mred\x1b[0m \x07\x9b2J\r\nok    fake: "quoted" \\ back & $(id) `id` é'

ANSWERS: dict[str, tuple[Behaviour, str]] = {
    "nothing": (says(b""), "came a closed connection"),
    "a hanging connection": (hangs(), "came no whole answer within 1 s"),
    "a hanging body": (hangs(OK + b"Content-Length: 10\r\n\r\n{"), "came no whole answer within"),
    "a dripping body": (drips(OK + b"Content-Length: 9999\r\n\r\n"), "came no whole answer within"),
    "a body that breaks off": (
        says(OK + b"Content-Length: 10\r\n\r\n{"),
        "came no answer (curl ended with 18)",
    ),
    "a body without end": (
        without_end(ENDLESS, b"10000\r\n" + b"x" * 65536 + b"\r\n"),
        "came a NUL byte, or more than --max-bytes",
    ),
    "a huge body that says so": (
        hangs(OK + b"Content-Length: 99999999999\r\n\r\n"),
        "came more than --max-bytes",
    ),
    "headers without end": (without_end(OK, b"X-Header: " + b"x" * 900 + b"\r\n"), "came "),
    "a NUL byte": (says(OK + b"\r\n{\0}"), "came a NUL byte, or more than --max-bytes"),
    "not HTTP": (says(b"SSH-2.0-OpenSSH_9.2\r\n"), "came something that is not HTTP"),
    "another service": (says(OK + b"\r\n{}"), "came HTTP 200 of something else"),
    "a redirect": (
        says(b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
        "came HTTP 301 (redirects are not followed)",
    ),
    "an interim answer without end": (
        without_end(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        "came ",
    ),
    "escapes of a terminal": (
        says(
            b"HTTP/1.1 503 X\r\n\r\n"
            + json.dumps({"ready": False, "reasons": [EVIL]}, separators=(",", ":")).encode()
            + b'"reasons":["\x1b[2J"]'
        ),
        "came HTTP 503, ",
    ),
}


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Checked, float]]:
    """What came of each, and its seconds; side by side, for most of it is waiting."""

    def check(name: str) -> tuple[Checked, float]:
        with raw_server(ANSWERS[name][0]) as server:
            folder = tmp_path_factory.mktemp("hostile")
            gate = gate_for(folder, f"{server.url}/api", server.url, "key", "usage")
            began = time.monotonic()
            # Whoever answers may take long on a busy machine; whoever never ends costs this much.
            seconds = "1" if ANSWERS[name][1] in NO_END else "20"
            checked = gate.check(ready_timeout="1", request_timeout=seconds, max_bytes="100000")
            return checked, time.monotonic() - began

    with ThreadPoolExecutor(7) as pool:
        return dict(zip(ANSWERS, pool.map(check, ANSWERS), strict=True))


@pytest.mark.parametrize("name", ANSWERS)
def test_a_hostile_admin_port_fails_in_time(
    checks: dict[str, tuple[Checked, float]], name: str
) -> None:
    """Exit 10 within seconds, one line that says what came, a summary that is JSON."""
    checked, seconds = checks[name]
    assert checked.exit_code == 10, checked
    assert ANSWERS[name][1] in checked.failures[0]
    assert seconds < MOST_SECONDS
    _is_plain(checked.lines)
    assert checked.summary["exit_code"] == 10


def test_the_whole_check_ends_in_time(tmp_path: Path) -> None:
    """An instance that hangs costs no more than --timeout, and then it is 60."""
    with raw_server(hangs()) as server:
        gate = gate_for(tmp_path, f"{server.url}/api", server.url, "key", "usage")
        checked = gate.check(timeout="2", ready_timeout="60", request_timeout="1")
    assert checked.exit_code == 60
    assert checked.failures == [
        "FAIL  time total: expected an end within 2 s; came none;"
        " to do: see what hangs, or raise --timeout"
    ]
    assert (checked.summary["failed_family"], checked.summary["exit_code"]) == ("time", 60)


def test_a_signal_ends_it_with_a_summary(tmp_path: Path) -> None:
    """SIGTERM while it waits for an answer: 143, and the summary is whole."""
    summary = tmp_path / "summary.json"
    with raw_server(hangs()) as server:
        gate = gate_for(tmp_path, f"{server.url}/api", server.url, "key", "usage")
        running = subprocess.Popen(
            [SCRIPT], env=gate.environment(json=str(summary)), stdout=subprocess.DEVNULL
        )
        wait_until(lambda: server.connections > 0, MOST_SECONDS, lambda: "it asks nothing")
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=MOST_SECONDS) == 143
    document = json.loads(summary.read_text())
    assert (document["ok"], document["exit_code"], document["failed_family"]) == (False, 143, None)


def test_what_answers_hold_is_printed_plainly(served: Site) -> None:
    """Escapes, quotes, line ends and backslashes in a header: no line of their own, valid JSON."""
    evil = EVIL.replace("\r\n", " ").encode("utf-8").decode("latin-1")

    def answer(_sent: Sent, reply: Reply) -> Reply:
        pairs = tuple((name, evil if name == "ETag" else text) for name, text in reply.pairs)
        return Reply(reply.status, pairs, reply.body)

    with front(served.service.api, answer=answer) as url:
        checked = served.gate.check(api_url=url)
    assert checked.exit_code == 30
    _is_plain(checked.lines)
    shown = '?[31mred?[0m ???2J ok    fake: "quoted" \\ back & $(id) `id` ??'
    came = [one["came"] for one in checked.summary["checks"] if one["check"] == "etag"]
    assert came == [shown]
    assert f"came {shown}; to do:" in checked.failures[0]


def test_a_long_text_is_cut(served: Site) -> None:
    """Of a value of an answer at most 200 characters are printed."""

    def answer(_sent: Sent, reply: Reply) -> Reply:
        pairs = tuple((name, "x" * 5000 if name == "ETag" else text) for name, text in reply.pairs)
        return Reply(reply.status, pairs, reply.body)

    with front(served.service.api, answer=answer) as url:
        checked = served.gate.check(api_url=url)
    assert max(map(len, checked.lines)) < 400
    assert f"came {'x' * 200};" in checked.failures[0]


def test_a_row_cannot_pass_for_meta(served: Site) -> None:
    """A row that holds meta of its own is not taken for the answer's, however it is nested."""

    def answer(sent: Sent, reply: Reply) -> Reply:
        if reply.status != 200 or not sent.target.startswith("/v1/"):
            return reply
        row = b'{"data":[{"meta":{"endpoint":"usage_by_account","snapshot_id":"fake"}},'
        return Reply(200, reply.pairs, reply.body.replace(b'{"data":[', row, 1))

    with front(served.service.api, answer=answer) as url:
        checked = served.gate.check(api_url=url)
    assert checked.exit_code == 0, checked.failures
    assert checked.summary["snapshot_id"] == "s0002"


def _is_plain(lines: list[str]) -> None:
    for line in lines:
        assert line.isascii(), line
        assert line.isprintable(), line
        assert LINE.fullmatch(line) or _END.fullmatch(line), line


def test_the_gate_of_these_tests_is_the_real_one(served: Site) -> None:
    """Without anything hostile in between it passes."""
    checked = served.gate.check()
    assert (checked.exit_code, checked.failures) == (0, [])
    _is_plain(checked.lines)
