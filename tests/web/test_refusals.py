"""Requests that are refused: each with its status, its code, and nothing of what was sent."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.http_replies import send_raw
from tests.web.conftest import Tenants
from tests.web.served import PICKED, PLAIN

MARKER = "zqxmark"

PARAMS: list[tuple[str, str, str | None]] = [
    (f"{PLAIN}?{MARKER}=1", "unknown_param", MARKER),
    (f"{PLAIN}?{MARKER}%20=1", "unknown_param", None),
    (f"{PLAIN}?cursor={MARKER}", "bad_cursor", "cursor"),
    (f"{PLAIN}?cursor={'A' * 60}", "bad_cursor", "cursor"),
    (f"{PLAIN}?cursor={'A' * 5000}", "bad_cursor", "cursor"),
    (f"{PLAIN}?region={MARKER}", "not_in_enum", "region"),
    (f"{PLAIN}?region=eu&region={MARKER}", "repeated_param", "region"),
    (f"{PLAIN}?from_date={MARKER}", "bad_type", "from_date"),
    (f"{PLAIN}?limit={MARKER}", "bad_type", "limit"),
    (f"{PLAIN}?limit=1e9", "bad_type", "limit"),
    (f"{PLAIN}?limit=0", "out_of_range", "limit"),
    (f"{PLAIN}?limit=501", "out_of_range", "limit"),
    (f"{PLAIN}?limit=1000000000", "out_of_range", "limit"),
    (f"{PLAIN}?limit={'9' * 5000}", "out_of_range", "limit"),
    (f"{PLAIN}?offset=-1", "out_of_range", "offset"),
    (f"{PLAIN}?offset=4294967296", "out_of_range", "offset"),
    (f"{PLAIN}?columns={MARKER}", "unknown_column", "columns"),
    (f"{PLAIN}?columns=tenant_id", "unknown_column", "columns"),
    (f"{PLAIN}?columns=amount,amount", "repeated_column", "columns"),
    (f"{PLAIN}?columns=", "bad_list", "columns"),
    (f"{PLAIN}?account_id={MARKER * 40}", "too_long", "account_id"),
    (f"{PLAIN}?account_id={MARKER}%00", "bad_query_encoding", None),
    (f"{PLAIN}?account_id={MARKER}%ff", "bad_query_encoding", None),
    (f"{PLAIN}?account_id={MARKER}%ed%a0%80", "bad_query_encoding", None),
    (f"{PLAIN}?account_id={MARKER}%zz", "bad_query_encoding", None),
    (f"{PLAIN}?={MARKER}", "empty_param_name", None),
    (f"{PLAIN}?&", "empty_param_name", None),
    (f"{PLAIN}?" + "&".join(f"p{n}=1" for n in range(101)), "too_many_params", None),
    (f"{PLAIN}?" + "&" * 8000, "too_many_params", None),
    (f"{PICKED}?region=eu&most=901", "out_of_range", "most"),
    (f"{PICKED}?region=eu&most=-1", "out_of_range", "most"),
    (f"{PICKED}?region=eu&most=1.5", "bad_type", "most"),
]


@pytest.mark.parametrize(("target", "code", "param"), PARAMS)
def test_a_bad_param_is_422(tenants: Tenants, target: str, code: str, param: str | None) -> None:
    """The code says why and `param` where; the value is nowhere in the answer."""
    reply = tenants.ask(target)
    error = reply.document["error"]
    assert (reply.status, error["family"], error["code"]) == (422, "invalid_param", code)
    assert error.get("param") == param
    assert list(reply.document) == ["error", "meta"]
    assert list(error) == ["family", "code", "message", *(["param"] if param else [])]
    assert MARKER.encode() not in reply.body or param == MARKER


TOO_LONG = [
    f"{PLAIN}?" + "&".join(f"p{n}=1" for n in range(10_000)),
    f"{PLAIN}?account_id=" + "a" * 65536,
    f"{PLAIN}?account_id=" + "a" * 8193,
    "/" + "a" * 65536,
    f"{PLAIN}?account_id=" + quote("é") * 5000,
]


@pytest.mark.parametrize("target", TOO_LONG)
def test_a_long_request_line_is_414(tenants: Tenants, target: str) -> None:
    """Above 8 KiB of query string, and above 16 KiB in all."""
    reply = tenants.ask(target)
    assert (reply.status, reply.code) == (414, "uri_too_long")


def test_long_header_fields_are_431(tenants: Tenants) -> None:
    """One long field and many short ones."""
    assert tenants.ask(PLAIN, x_long="a" * 20_000).code == "header_too_large"
    many = tenants.service.ask(PLAIN, {f"X-{number}": "a" * 50 for number in range(300)})
    assert (many.status, many.code) == (431, "header_too_large")


def test_a_large_body_is_413(tenants: Tenants) -> None:
    """A body that says it is too large is refused before it is read."""
    reply = tenants.ask(PLAIN, content_length="70000")
    assert (reply.status, reply.code) == (413, "body_too_large")
    assert reply.headers["connection"] == "close"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"])
@pytest.mark.parametrize(
    ("path", "allow"), [(PLAIN, "GET, HEAD, OPTIONS"), ("/healthz", "GET, HEAD")]
)
def test_another_method_is_405(tenants: Tenants, method: str, path: str, allow: str) -> None:
    """`Allow` names the methods there are; nothing depends on the key or the endpoint's name."""
    reply = tenants.ask(path, method=method)
    assert (reply.status, reply.code) == (405, "method_not_allowed")
    assert reply.headers["allow"] == allow


@pytest.mark.parametrize(
    "accept", ["text/html", "application/json;q=0", "text/csv;q=0", "application/xml", ",", "x"]
)
def test_no_format_in_common_is_406(tenants: Tenants, accept: str) -> None:
    """The answer names the formats there are."""
    reply = tenants.ask(PLAIN, accept=accept)
    assert (reply.status, reply.code) == (406, "not_acceptable")
    message = str(reply.document["error"]["message"])
    assert re.findall(r"[a-z]+/[a-z.-]+", message) == [
        "application/json",
        "application/x-ndjson",
        "text/csv",
        "application/vnd.apache.arrow.stream",
    ]


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/endpoints", "/v1/endpoints/", f"{PLAIN}/", f"/{PLAIN}", "/docs", "*"]
)
def test_another_path_is_404(tenants: Tenants, path: str) -> None:
    """Nothing but endpoints and the health check."""
    reply = tenants.ask(path)
    assert (reply.status, reply.code) == (404, "not_found")


MALFORMED = {
    "no request": b"zqxmark\r\n\r\n",
    "a protocol of the future": b"GET /zqxmark HTTP/9.9\r\n\r\n",
    "a NUL in the query": b"GET /v1/endpoints/usage_rows?a=zqxmark\0 HTTP/1.1\r\nHost: x\r\n\r\n",
    "raw bytes in the query": b"GET /v1/endpoints/x?a=zqxmark\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    "no URL": b"GET  HTTP/1.1\r\nHost: zqxmark\r\n\r\n",
    "a field without a colon": b"GET / HTTP/1.1\r\nzqxmark\r\n\r\n",
    "a negative length": b"GET / HTTP/1.1\r\nContent-Length: -5\r\nX: zqxmark\r\n\r\n",
    "two lengths of one body": b"GET / HTTP/1.1\r\nContent-Length: 1\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nzqxmark",
}


@pytest.mark.parametrize("why", MALFORMED)
def test_a_malformed_request_is_400(tenants: Tenants, why: str) -> None:
    """One clean answer, then the connection is closed; nothing of it in the answer or the log."""
    answer = send_raw(tenants.service.api, MALFORMED[why])
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"connection: close" in head
    assert b'"code":"bad_request"' in body
    assert body.count(b"request_id") == 1
    assert b"zqxmark" not in answer
    assert "zqxmark" not in str(tenants.service.lines)


def test_hostile_requests_take_no_memory(tenants: Tenants) -> None:
    """After 300 more of every kind the workers are as large as before, within 4 MiB together."""
    targets = [*TOO_LONG, *(target for target, _, _ in PARAMS)]
    malformed = list(MALFORMED.values())

    def send(times: int) -> None:
        for number in range(times):
            tenants.ask(targets[number % len(targets)])
            if number % 3 == 0:
                send_raw(tenants.service.api, malformed[number % len(malformed)])

    send(100)
    before = resident_bytes(tenants)
    send(300)
    assert resident_bytes(tenants) - before < 4 << 20
    assert tenants.service.is_ready()


def resident_bytes(tenants: Tenants) -> int:
    """Return the resident memory of all workers."""
    pids = tenants.service.worker_pids()
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return pages * os.sysconf("SC_PAGE_SIZE")
