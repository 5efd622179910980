"""One request, from key to body, without a server: the order of the checks and the headers."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from offloader.catalog.model import Catalog, Key
from offloader.errors import RequestError
from offloader.service.worker.answer import Query, Response, begin
from offloader.service.worker.generation import Generation, Served
from offloader.service.worker.prepare import Request
from offloader.service.worker.refusals import error_body
from tests.query.serving import serve

WATERMARK = 1_780_272_000  # of the built tables, in seconds
MINUTES = 120
LIMIT = WATERMARK + MINUTES * 60
KEY = Key("k", hashlib.sha256(b"token").hexdigest(), None, frozenset({"usage", "cold"}))
BEARER = "Bearer token"


def generation(*keys: Key, minutes: float | None = MINUTES) -> Generation:
    """Return a generation of two endpoints, `cold` without data; public without keys."""
    plan = serve("n INTEGER", [(1,), (2,)], max_staleness_minutes=minutes).plan
    cold = replace(plan.endpoint, name="cold")
    endpoints = {"usage": Served(plan.endpoint, plan), "cold": Served(cold, None)}
    catalog = Catalog(bool(keys), {}, {n: s.endpoint for n, s in endpoints.items()}, keys)
    return Generation(1, catalog, endpoints, {key.hash: key for key in keys}, {}, {}, {})


def answered(
    made: Generation, now: float = WATERMARK, query: bytes = b"", **headers: str
) -> Response:
    """Return the whole answer of one request for `usage`."""
    begun = begin(made, Request("usage", query, **headers), now)
    return begun.finish() if isinstance(begun, Query) else begun


def refusal(made: Generation | None, request: Request, now: float = WATERMARK) -> tuple[int, str]:
    """Return the status and code with which a request is refused."""
    with pytest.raises(RequestError) as raised:
        begin(made, request, now)
    return raised.value.status, raised.value.code


def test_the_checks_come_in_this_order() -> None:
    """Ready, key, endpoint, format, data, params: an earlier refusal hides all later ones."""
    made = generation(KEY)
    bad = Request("absent", b"x=1", None, "text/html")
    assert refusal(None, bad) == (503, "not_ready")
    assert refusal(made, bad) == (401, "unauthorized")
    bad = replace(bad, authorization=BEARER)
    assert refusal(made, bad) == (404, "not_found")
    bad = replace(bad, endpoint="cold")
    assert refusal(made, bad) == (406, "not_acceptable")
    bad = replace(bad, accept=None)
    assert refusal(made, bad) == (503, "not_ready")
    bad = replace(bad, endpoint="usage")
    assert refusal(made, bad) == (422, "unknown_param")
    assert refusal(made, replace(bad, if_none_match="*")) == (422, "unknown_param")


@pytest.mark.parametrize(
    ("key", "now", "is_good"),
    [
        (KEY, WATERMARK, True),
        (replace(KEY, is_active=False), WATERMARK, False),
        (replace(KEY, expires_at=WATERMARK), WATERMARK - 0.001, True),
        (replace(KEY, expires_at=WATERMARK), WATERMARK, False),
    ],
)
def test_a_key_is_good_until_it_is_revoked_or_expires(key: Key, now: float, is_good: bool) -> None:
    """From its very second on an expired key is refused."""
    request = Request("usage", b"", BEARER)
    if is_good:
        assert isinstance(begin(generation(key), request, now), Query)
    else:
        assert refusal(generation(key), request, now) == (401, "unauthorized")


def test_a_key_that_is_not_granted_an_endpoint_gets_404() -> None:
    """The same refusal as for an endpoint that does not exist."""
    made = generation(replace(KEY, endpoints=frozenset()))
    with pytest.raises(RequestError) as hidden:
        begin(made, Request("usage", b"", BEARER), WATERMARK)
    with pytest.raises(RequestError) as absent:
        begin(made, Request("absent", b"", BEARER), WATERMARK)
    assert error_body(hidden.value, "id") == error_body(absent.value, "id")
    assert hidden.value.headers == absent.value.headers


def test_stale_begins_right_after_the_window() -> None:
    """At the window's end an answer is fresh, a moment later stale, with another ETag."""
    made = generation()
    fresh, stale = answered(made, LIMIT), answered(made, LIMIT + 0.001)
    assert b'"stale":false' in fresh.body
    assert b'"stale":true' in stale.body
    tags = [dict(response.headers)["ETag"] for response in (fresh, stale)]
    assert tags[0] != tags[1]
    assert answered(made, LIMIT + 1, if_none_match=tags[0]).status == 200
    assert answered(made, LIMIT + 1, if_none_match=tags[1]).status == 304


def test_the_etag_does_not_depend_on_the_time() -> None:
    """Nothing but contract, request, snapshot, stale bit and representation."""
    made = generation()
    first, later = answered(made, WATERMARK), answered(made, LIMIT)
    assert dict(first.headers)["ETag"] == dict(later.headers)["ETag"]
    assert first.body == later.body
    assert dict(first.headers)["Offloader-Snapshot-Age"] == "0"
    assert dict(later.headers)["Offloader-Snapshot-Age"] == "7200"


@pytest.mark.parametrize(
    ("minutes", "age_seconds", "max_age"),
    [
        (None, 0, 60),
        (None, 10**6, 60),
        (120, 0, 3600),
        (120, 3600, 3600),
        (120, 3601, 3599),
        (120, 7200, 0),
        (120, 10**6, 0),
        (1, -5, 60),
    ],
)
def test_a_public_answer_is_kept_for_what_is_left(
    minutes: float | None, age_seconds: int, max_age: int
) -> None:
    """Of its freshness window, at most an hour; a watermark in the future has age 0."""
    reply = answered(generation(minutes=minutes), WATERMARK + age_seconds)
    assert dict(reply.headers)["Cache-Control"] == (
        f"public, max-age={max_age}, stale-while-revalidate=60"
    )


def test_an_authed_answer_is_private() -> None:
    """Nobody but the caller may keep it, and not without asking."""
    reply = answered(generation(KEY), authorization=BEARER)
    assert dict(reply.headers)["Cache-Control"] == "private, no-cache"


def test_a_304_has_no_body_and_no_type() -> None:
    """It is decided before any row is located."""
    reply = answered(generation(), if_none_match="*")
    assert (reply.status, reply.body, reply.content_type, reply.rows_scanned) == (304, b"", "", 0)
    assert reply.cache == ""


def test_an_error_body_is_exact() -> None:
    """`param` only when one is to blame; text as UTF-8."""
    error = RequestError(422, "invalid_param", "too_long", "é", param="name")
    assert (
        error_body(error, "r1")
        == (
            '{"error":{"family":"invalid_param","code":"too_long","message":"é","param":"name"},'
            '"meta":{"request_id":"r1"}}'
        ).encode()
    )
    error = RequestError(404, "not_found", "not_found", "no")
    assert error_body(error, "r1") == (
        b'{"error":{"family":"not_found","code":"not_found","message":"no"},'
        b'"meta":{"request_id":"r1"}}'
    )
