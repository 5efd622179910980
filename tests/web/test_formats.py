"""Formats and codings over HTTP: what is asked for is what is sent and what headers say."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping

import pyarrow as pa
import pytest
import zstandard

from tests.http_replies import Reply
from tests.query.formatted import read_arrow, read_csv
from tests.web.conftest import Tenants
from tests.web.served import PLAIN

JSON, NDJSON = "application/json", "application/x-ndjson"
CSV, ARROW = "text/csv", "application/vnd.apache.arrow.stream"
TYPES = {JSON: JSON, NDJSON: NDJSON, CSV: "text/csv; charset=utf-8; header=present", ARROW: ARROW}
PAGE = f"{PLAIN}?limit=50"
DECODERS: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompress(body),
}


def asked(tenants: Tenants, accept: str, coding: str, tag: str = "", method: str = "GET") -> Reply:
    """Ask for the page in one representation, with If-None-Match when there is a `tag`."""
    headers = {"Accept": accept, "Accept-Encoding": coding}
    if tag:
        headers["If-None-Match"] = tag
    headers |= tenants.project.authorization("tenant_0")
    return tenants.service.ask(PAGE, headers, method)


@pytest.mark.parametrize("accept", [JSON, NDJSON, CSV, ARROW])
def test_a_format_is_sent_as_what_it_is(tenants: Tenants, accept: str) -> None:
    """Content-Type names the format, every format holds the same rows."""
    rows = tenants.ask(PAGE).document["data"]
    reply = tenants.ask(PAGE, Accept=accept)
    assert (reply.status, reply.headers["content-type"]) == (200, TYPES[accept])
    assert "content-encoding" not in reply.headers
    if accept == ARROW:
        assert read_arrow(reply.body).num_rows == len(rows)
        assert read_arrow(reply.body).column_names == list(rows[0])
    elif accept == CSV:
        assert len(read_csv(reply.body, list(rows[0]))) == len(rows)
    elif accept == NDJSON:
        assert len(reply.body.splitlines()) == len(rows)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@pytest.mark.parametrize("accept", [JSON, NDJSON, CSV, ARROW])
def test_a_coding_makes_a_body_smaller(tenants: Tenants, accept: str, coding: str) -> None:
    """Decoded it is the same bytes; the length is that of what is sent, by HEAD too."""
    plain = tenants.ask(PAGE, Accept=accept)
    coded = asked(tenants, accept, coding)
    assert coded.headers["content-encoding"] == coding
    assert coded.headers["content-type"] == TYPES[accept]
    assert len(coded.body) == int(coded.headers["content-length"]) < len(plain.body)
    assert DECODERS[coding](coded.body) == plain.body
    head = asked(tenants, accept, coding, method="HEAD")
    assert (head.status, head.body) == (200, b"")
    for name in ("content-encoding", "content-length", "content-type", "etag", "vary"):
        assert head.headers[name] == coded.headers[name]


def test_a_small_body_is_not_coded(tenants: Tenants) -> None:
    """One row fits a packet as it is, and says so."""
    reply = tenants.ask(f"{PLAIN}?limit=1", Accept_Encoding="gzip, zstd")
    assert "content-encoding" not in reply.headers
    assert json.loads(reply.body)["meta"]["row_count"] == 1


def test_each_representation_has_its_own_etag(tenants: Tenants) -> None:
    """A tag is answered with 304 in its own format and coding, in no other."""
    made = [(accept, coding) for accept in TYPES for coding in ("identity", "gzip", "zstd")]
    tags = [asked(tenants, *one).headers["etag"] for one in made]
    assert len(set(tags)) == 12
    for one, tag in zip(made, tags, strict=True):
        reply = asked(tenants, *one, tag)
        assert (reply.status, reply.body, reply.headers["etag"]) == (304, b"", tag)
        assert "content-encoding" not in reply.headers
        assert asked(tenants, *one, tags[0]).status == (304 if tag == tags[0] else 200)


def test_a_format_that_is_not_served_is_406(tenants: Tenants) -> None:
    """The refusal is JSON, never coded, and names what there is."""
    reply = tenants.ask(PAGE, Accept="text/html, image/*", Accept_Encoding="gzip")
    assert (reply.status, reply.code) == (406, "not_acceptable")
    assert reply.headers["content-type"] == JSON
    assert all(name in reply.document["error"]["message"] for name in TYPES)


def test_an_arrow_answer_says_its_meta(tenants: Tenants) -> None:
    """The schema's metadata is the `meta` of the JSON answer."""
    table: pa.Table = read_arrow(tenants.ask(PAGE, Accept=ARROW).body)
    metadata = table.schema.metadata[b"offloader.meta"]
    assert json.loads(metadata) == tenants.ask(PAGE).document["meta"]
