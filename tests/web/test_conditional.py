"""ETags, 304, HEAD, Cache-Control and Vary."""

from __future__ import annotations

import http.client

import pytest

from tests.service_process import Running
from tests.web.conftest import Tenants
from tests.web.metric_values import value
from tests.web.served import PLAIN

PER_REQUEST = {"x-request-id", "offloader-snapshot-age"}
TARGET = f"{PLAIN}?limit=3"


@pytest.mark.parametrize(
    "form", ["{}", "W/{}", '"other", {}', '"other",W/{} , "third"', "*", " * ", "{},"]
)
def test_a_matching_etag_is_304_without_a_query(tenants: Tenants, form: str) -> None:
    """No body, no length, no row read; the headers of the 200 that matter to a cache."""
    full = tenants.ask(TARGET)
    before = value(tenants.service, "offloader_rows_scanned_total", endpoint="usage_rows")
    reply = tenants.ask(TARGET, if_none_match=form.format(full.headers["etag"]))
    after = value(tenants.service, "offloader_rows_scanned_total", endpoint="usage_rows")
    assert (reply.status, reply.body, after) == (304, b"", before)
    assert "content-length" not in reply.headers
    assert "content-type" not in reply.headers
    for name in ("etag", "cache-control", "vary", "offloader-snapshot-id", "offloader-watermark"):
        assert reply.headers[name] == full.headers[name]


@pytest.mark.parametrize("sent", ['"0123"', "W/*", "{0}x", '"*"', "", "{1}"])
def test_another_etag_is_200(tenants: Tenants, sent: str) -> None:
    """What does not name this body's ETag gets the body."""
    full = tenants.ask(TARGET)
    tag = full.headers["etag"]
    reply = tenants.ask(TARGET, if_none_match=sent.format(tag.rstrip('"'), tag.strip('"')))
    assert (reply.status, reply.body) == (200, full.body)


def test_a_304_keeps_the_connection_in_step(tenants: Tenants) -> None:
    """Behind a 304 the next answer of the same connection is read right (no body is pending)."""
    connection = http.client.HTTPConnection(*tenants.service.api, timeout=15)
    key = tenants.project.authorization("tenant_0")
    for _ in range(3):
        connection.request("GET", TARGET, headers={**key, "If-None-Match": "*"})
        response = connection.getresponse()
        assert (response.status, response.read()) == (304, b"")
        connection.request("HEAD", TARGET, headers=key)
        assert connection.getresponse().read() == b""
        connection.request("GET", TARGET, headers=key)
        assert connection.getresponse().read() == tenants.ask(TARGET).body
    connection.close()


@pytest.mark.parametrize("target", [TARGET, f"{PLAIN}?limit=0", "/nothing", "/healthz"])
def test_head_is_get_without_its_body(tenants: Tenants, target: str) -> None:
    """The same status and headers, also the length that the body would have."""
    get, head = tenants.ask(target), tenants.ask(target, method="HEAD")
    assert (head.status, head.body) == (get.status, b"")
    assert [name for name, _ in head.pairs] == [name for name, _ in get.pairs]
    shown = {name: text for name, text in head.headers.items() if name not in PER_REQUEST}
    assert shown == {k: text for k, text in get.headers.items() if k not in PER_REQUEST}
    assert int(head.headers["content-length"]) == len(get.body)


def test_head_with_a_matching_etag_is_304(tenants: Tenants) -> None:
    """HEAD is conditional as GET is."""
    assert tenants.ask(TARGET, method="HEAD", if_none_match="*").status == 304


@pytest.mark.parametrize(
    ("name", "window_seconds"), [("open", None), ("fresh", 18000), ("soon", 4140), ("stale", 300)]
)
def test_a_public_answer_may_be_kept_while_it_is_fresh(
    public: Running, name: str, window_seconds: int | None
) -> None:
    """For what is left of the freshness window, at most an hour; one minute without a window."""
    reply = public.ask(f"/v1/endpoints/{name}")
    age = int(reply.headers["offloader-snapshot-age"])
    seconds = 60 if window_seconds is None else min(3600, max(0, window_seconds - age))
    assert reply.headers["cache-control"] == (
        f"public, max-age={seconds}, stale-while-revalidate=60"
    )
    assert reply.document["meta"]["freshness"]["stale"] is (name == "stale")


def test_vary_names_all_that_an_answer_depends_on(tenants: Tenants, public: Running) -> None:
    """Authorization where there are keys, Origin where only some pages may read, Accept always."""
    for target in (TARGET, f"{PLAIN}?limit=0"):
        assert tenants.ask(target).headers["vary"] == "Accept, Accept-Encoding, Authorization"
    for target in ("/v1/endpoints/open", "/v1/endpoints/open?limit=0"):
        assert public.ask(target).headers["vary"] == "Accept, Accept-Encoding, Origin"
    not_modified = public.ask("/v1/endpoints/open", {"If-None-Match": "*"})
    assert not_modified.status == 304
    assert not_modified.headers["vary"] == "Accept, Accept-Encoding, Origin"


def test_a_refusal_is_never_kept(tenants: Tenants) -> None:
    """Errors are `no-store` and have no ETag."""
    for target in (f"{PLAIN}?limit=0", "/v1/endpoints/absent", "/absent"):
        reply = tenants.ask(target)
        assert reply.headers["cache-control"] == "no-store"
        assert "etag" not in reply.headers
