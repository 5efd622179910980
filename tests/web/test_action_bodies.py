"""The bodies of actions: what each may say, and what is refused before the reloader is asked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from offloader.service.actions import KINDS, Action
from tests.web.admin_app import FINGERPRINT, AdminApp

PIN = "/datasets/usage/pin"

ALL: dict[str, dict[str, Any]] = {
    "refresh": {"accept": True},
    "rollback": {"reason": "wrong sums"},
    "pin": {"snapshot_id": "2026-06-01T00:00:00Z_r.7", "reason": "Prüfung 7", "accept": False},
    "unpin": {"accept": True},
    "rebuild": {},
    "quarantine": {"snapshot_id": "s" * 200, "reason": "r" * 500},
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_body_may_say(app: AdminApp, kind: Any) -> None:
    """Each action takes its own fields, and every one a wait."""
    body = json.dumps({**ALL[kind], "wait_seconds": 600}, ensure_ascii=False).encode()
    reply = app.ask(f"/datasets/usage/{kind}", body, content_type="application/json; charset=utf-8")
    assert reply.status == 200
    assert app.asked == [Action(kind, "usage", FINGERPRINT, **ALL[kind])]


@pytest.mark.parametrize("field", ["snapshot_id", "reason", "accept"])
@pytest.mark.parametrize("kind", KINDS)
def test_fields_of_other_actions_are_refused(app: AdminApp, kind: str, field: str) -> None:
    """The answer names the field; nothing is asked of the reloader."""
    if field in ALL[kind]:
        return
    value = True if field == "accept" else "s1"
    reply = app.ask(f"/datasets/usage/{kind}", json.dumps({field: value}).encode())
    assert (reply.status, reply.code) == (422, "invalid_body")
    assert reply.document["error"]["param"] == field
    assert app.asked == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"more": 1}', "more"),
        (b'{"snapshot_id": ""}', "snapshot_id"),
        (b'{"snapshot_id": "a b"}', "snapshot_id"),
        (b'{"snapshot_id": "../s1"}', "snapshot_id"),
        (b'{"snapshot_id": "s1\\n"}', "snapshot_id"),
        (b'{"snapshot_id": null}', "snapshot_id"),
        (b'{"snapshot_id": 7}', "snapshot_id"),
        (json.dumps({"snapshot_id": "s" * 201}).encode(), "snapshot_id"),
        (json.dumps({"reason": "r" * 501}).encode(), "reason"),
        (b'{"reason": "two\\nlines"}', "reason"),
        (b'{"reason": "\\u001b[2J"}', "reason"),
        (b'{"reason": ["x"]}', "reason"),
        (b'{"accept": 1}', "accept"),
        (b'{"accept": "true"}', "accept"),
        (b'{"accept": null}', "accept"),
        (b'{"wait_seconds": -1}', "wait_seconds"),
        (b'{"wait_seconds": 600.5}', "wait_seconds"),
        (b'{"wait_seconds": 1e999}', "wait_seconds"),
        (b'{"wait_seconds": true}', "wait_seconds"),
        (b'{"wait_seconds": "30"}', "wait_seconds"),
        (b'{"wait_seconds": NaN}', None),
        (b'{"accept": true, "accept": false}', None),
        (b'{"reason": "\\ud800"}', None),
        (b"{", None),
        (b" ", None),
        (b"[]", None),
        (b'"pin"', None),
        (b"null", None),
        (b"\xff", None),
        (b"[" * 5000, None),
    ],
)
def test_what_a_body_may_not_say(app: AdminApp, body: bytes, field: str | None) -> None:
    """422 that names the field, when one is to blame, and never its value."""
    reply = app.ask(PIN, body)
    assert (reply.status, reply.code) == (422, "invalid_body")
    assert reply.document["error"].get("param") == field
    assert app.asked == []


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_a_body_must_say_that_it_is_json(app: AdminApp, content_type: str) -> None:
    """What a form of a foreign page can send is 415."""
    reply = app.ask(PIN, b'{"accept": true}', content_type=content_type)
    assert (reply.status, reply.code) == (415, "unsupported_media_type")
    assert app.asked == []
