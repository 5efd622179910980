"""The admin routes of actions: who may, and how each outcome is answered.

The reloader is a stand-in that answers as told; what it really does is in test_actions. What a
body may say is in test_action_bodies.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from offloader.service.actions import KINDS, Action, Result
from tests.http_replies import Reply
from tests.service_process import Running, wait_until
from tests.web.admin_app import DONE, FINGERPRINT, TOKEN, AdminApp, admin_app

PIN = "/datasets/usage/pin"


@pytest.mark.parametrize("kind", KINDS)
def test_every_action_is_a_route(app: AdminApp, kind: Any) -> None:
    """Without a body it is asked for as it is, by the token's fingerprint."""
    reply = app.ask(f"/datasets/usage/{kind}")
    assert app.asked == [Action(kind, "usage", FINGERPRINT)]
    assert reply.status == 200
    assert reply.document == {
        "action": kind,
        "dataset": "usage",
        "outcome": "done",
        "code": "",
        "message": "as wished",
        "hint": "",
        "from": "s1",
        "to": "s2",
        "generation": 7,
    }
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("outcome", "status"),
    [("done", 200), ("unchanged", 200), ("pending", 202), ("refused", 409), ("failed", 502)],
)
def test_the_status_says_how_it_ended(app: AdminApp, outcome: Any, status: int) -> None:
    """And code, message and hint say why."""
    app.answer = Result(outcome, "why", code="pin_needs_accept", hint="send accept")
    reply = app.ask("/datasets/usage/unpin")
    assert reply.status == status
    shown = {name: reply.document[name] for name in ("outcome", "code", "message", "hint", "from")}
    assert shown == {
        "outcome": outcome,
        "code": "pin_needs_accept",
        "message": "why",
        "hint": "send accept",
        "from": None,
    }


def test_the_request_id_comes_back(app: AdminApp) -> None:
    """So that a caller finds its own answer."""
    reply = app.ask("/datasets/usage/refresh", x_request_id="deploy-17")
    assert reply.headers["x-request-id"] == "deploy-17"


def test_what_takes_longer_is_pending(app: AdminApp) -> None:
    """202 after the wait that was asked for, and the action goes on."""
    app.answer = None
    reply = app.ask("/datasets/usage/rebuild", b'{"wait_seconds": 0.05}')
    assert (reply.status, reply.document["outcome"]) == (202, "pending")
    assert "/diagnostics" in reply.document["message"]
    wait_until(
        lambda: app.asked == [Action("rebuild", "usage", FINGERPRINT)], 10, lambda: app.asked
    )


def test_live_answers_while_an_action_waits(app: AdminApp) -> None:
    """A waiting action does not block the event loop."""
    app.answer = None
    with waiting(app) as replies:
        assert app.ask("/live", method="GET").status == 200
        assert replies == []
        app.held[-1].set_result(DONE)
    assert [reply.status for reply in replies] == [200]


def test_a_stop_ends_the_wait(app: AdminApp) -> None:
    """While the instance drains, who waits is told that it ends, and so is who comes new."""
    app.answer = None
    try:
        with waiting(app) as replies:
            app.worker.is_draining = True
        replies.append(app.ask("/datasets/usage/refresh"))
    finally:
        app.worker.is_draining = False
    assert [(reply.status, reply.code) for reply in replies] == [(503, "not_ready")] * 2
    assert len(app.asked) == 1


@contextmanager
def waiting(app: AdminApp) -> Iterator[list[Reply]]:
    """Have a caller wait for an action while the block runs; then join it."""
    replies: list[Reply] = []
    caller = threading.Thread(target=lambda: replies.append(app.ask("/datasets/usage/refresh")))
    caller.start()
    wait_until(lambda: app.asked, 10, lambda: "the action did not arrive")
    yield replies
    caller.join(10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("token", [None, "wrong", TOKEN + "x", ""])
def test_every_action_needs_the_admin_token(app: AdminApp, kind: str, token: str | None) -> None:
    """401 before anything else is looked at: dataset, body, type."""
    for dataset in ("usage", "absent"):
        reply = app.ask(f"/datasets/{dataset}/{kind}", b"{", token=token, content_type="text/plain")
        assert (reply.status, reply.code) == (401, "unauthorized")
        assert reply.headers["www-authenticate"] == "Bearer"
    assert app.asked == []


def test_without_a_token_to_compare_nobody_may() -> None:
    """403 while OFFLOADER_ADMIN_TOKEN is unset."""
    with admin_app(token=None) as app:
        for token in (None, TOKEN, "None"):
            reply = app.ask(PIN, token=token)
            assert (reply.status, reply.code) == (403, "no_admin_token")
        assert app.asked == []


def test_an_unknown_dataset_is_404(app: AdminApp) -> None:
    """A dataset of a new config is known before it is served."""
    for name in ("absent", "..", "usage%2F", "usage%00", "us%0Aage"):
        reply = app.ask(f"/datasets/{name}/refresh")
        assert (reply.status, reply.code) == (404, "unknown_dataset")
    app.made.tell(coming={})
    assert app.ask("/datasets/coming/refresh").status == 200


@pytest.mark.parametrize("path", ["/datasets/usage", "/datasets/usage/explode", "/datasets//pin"])
def test_other_paths_are_404(app: AdminApp, path: str) -> None:
    """With the token too."""
    assert (app.ask(path).status, app.asked) == (404, [])


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("kind", KINDS)
def test_other_methods_are_405(app: AdminApp, kind: str, method: str) -> None:
    """`Allow` says POST, and no page of another origin is let in."""
    reply = app.ask(f"/datasets/usage/{kind}", method=method, origin="https://app.example.com")
    assert (reply.status, reply.headers["allow"]) == (405, "POST")
    assert not [name for name in reply.headers if name.startswith("access-control")]
    assert app.asked == []


def test_without_a_reloader_the_caller_is_told_to_come_back() -> None:
    """503 with Retry-After, at once."""
    with admin_app(has_reloader=False) as app:
        reply = app.ask("/datasets/usage/refresh")
        assert (reply.status, reply.code) == (503, "reloader_away")
        assert reply.headers["retry-after"] == "5"


@pytest.mark.parametrize("kind", KINDS)
def test_no_action_answers_on_the_api_port(public: Running, kind: str) -> None:
    """There it is an unknown path."""
    for headers in ({}, {"Authorization": f"Bearer {TOKEN}"}):
        reply = public.ask(f"/datasets/usage/{kind}", headers, "POST")
        assert (reply.status, reply.code) == (404, "not_found")


def test_the_server_waits_longer_than_any_action() -> None:
    """Its own limit for an answer is above the longest wait; the API's is not raised."""
    code = (
        "from offloader.settings.settings import read_settings as read\n"
        "from offloader.web.apps import ADMIN_NAME, API_NAME, Setup, app_called, make_apps\n"
        "environ = {'OFFLOADER_CONFIG': 'x'}\n"
        "settings, _ = read(environ, is_terminal=False, cpus=1, memory_bytes=1 << 30)\n"
        "make_apps(Setup(settings, 'nowhere'))\n"
        "print([app_called(n).config.RESPONSE_TIMEOUT for n in (API_NAME, ADMIN_NAME)])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
    assert done.stdout == b"[60, 660]\n"
