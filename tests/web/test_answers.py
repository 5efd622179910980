"""What an endpoint answers: rows, pages, columns, aggregates, the envelope and its headers."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import pytest

from offloader.catalog.documents import load_catalog
from offloader.catalog.manifest import parse_manifest
from offloader.query.cursor import asked_digest, cursor_head, write_cursor
from tests.projects import UsageProject
from tests.web.conftest import Tenants
from tests.web.served import GROUPED, PICKED, PLAIN, newest_first, rows_of


def picked(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows as `usage_picked` shows them."""
    return [{name: row[name] for name in ("account_id", "region", "api_calls")} for row in rows]


def next_cursor(project: UsageProject) -> str:
    """Return the cursor of the second page of one row, as any replica writes it."""
    catalog, _ = load_catalog(project.root)
    manifest = parse_manifest(project.manifest_path.read_bytes(), "manifest")
    head = cursor_head(catalog.endpoints["usage_rows"], manifest.digest)
    return write_cursor(head, asked_digest({}, ("account_id", "amount"), "tenant_0"), 1)


def test_the_envelope_is_exact(tenants: Tenants) -> None:
    """`data`, then `meta` with its fields in order, without a space."""
    reply = tenants.ask(f"{PLAIN}?limit=1&columns=amount,account_id")
    assert reply.body.decode() == (
        '{"data":[{"account_id":"acct_4","amount":0.27}],'
        '"meta":{"endpoint":"usage_rows","version":1,"snapshot_id":"s0001","row_count":1,'
        f'"limit":1,"offset":0,"next_offset":1,"next_cursor":"{next_cursor(tenants.project)}",'
        '"serving_mode":"local_table",'
        '"freshness":{"watermark":"2026-06-01T00:00:00Z","max_staleness_minutes":null,'
        '"stale":false}}}'
    )


def test_the_envelope_of_the_last_page_is_exact(tenants: Tenants) -> None:
    """Where nothing follows, `next_offset` and `next_cursor` are null."""
    reply = tenants.ask(f"{PLAIN}?limit=1&offset=333&columns=account_id")
    assert reply.body == (
        b'{"data":[{"account_id":"acct_0"}],'
        b'"meta":{"endpoint":"usage_rows","version":1,"snapshot_id":"s0001","row_count":1,'
        b'"limit":1,"offset":333,"next_offset":null,"next_cursor":null,'
        b'"serving_mode":"local_table",'
        b'"freshness":{"watermark":"2026-06-01T00:00:00Z","max_staleness_minutes":null,'
        b'"stale":false}}}'
    )


def test_the_headers_are_these(tenants: Tenants) -> None:
    """An answer has exactly the documented headers."""
    reply = tenants.ask(PLAIN)
    headers = reply.headers
    assert re.fullmatch('"[0-9a-f]{32}"', headers.pop("etag"))
    assert re.fullmatch("[0-9a-f]{32}", headers.pop("x-request-id"))
    assert headers.pop("offloader-snapshot-age").isdecimal()
    assert headers == {
        "cache-control": "private, no-cache",
        "offloader-snapshot-id": "s0001",
        "offloader-watermark": "2026-06-01T00:00:00Z",
        "offloader-cache": "off",
        "vary": "Accept, Accept-Encoding, Authorization",
        "x-content-type-options": "nosniff",
        "content-type": "application/json",
        "content-length": str(len(reply.body)),
        "connection": "keep-alive",
    }


@pytest.mark.parametrize("limit", [1, 7, 100, 333, 500])
def test_pages_never_overlap_or_skip(tenants: Tenants, limit: int) -> None:
    """Following `next_offset` gives every row once, in the total order."""
    rows: list[dict[str, Any]] = []
    offset: int | None = 0
    while offset is not None:
        document = tenants.ask(f"{PLAIN}?limit={limit}&offset={offset}").document
        meta = document["meta"]
        assert (meta["limit"], meta["offset"]) == (limit, offset)
        assert meta["row_count"] == len(document["data"])
        rows += document["data"]
        offset = meta["next_offset"]
        if limit == 1 and len(rows) == 20:
            break
    assert rows == newest_first(rows_of(0))[: len(rows)]
    assert len(rows) == (20 if limit == 1 else 334)


def test_a_page_behind_the_end_is_empty(tenants: Tenants) -> None:
    """An offset above the number of rows, up to the greatest, is no error."""
    for offset in (334, 4294967295):
        document = tenants.ask(f"{PLAIN}?offset={offset}").document
        assert (document["data"], document["meta"]["next_offset"]) == ([], None)


def test_filters_and_the_default_page(tenants: Tenants) -> None:
    """Filters hold together; the default limit is the endpoint's."""
    reply = tenants.ask(f"{PLAIN}?account_id=acct_2&region=eu&from_date=2026-01-15", 1)
    rows = [
        row
        for row in newest_first(rows_of(1))
        if row["account_id"] == "acct_2"
        and row["region"] == "eu"
        and str(row["usage_date"]) >= "2026-01-15"
    ]
    assert reply.document["data"] == rows[:10]
    assert reply.document["meta"]["next_offset"] == (10 if len(rows) > 10 else None)


def test_groups_are_sums_of_their_rows(tenants: Tenants) -> None:
    """Sum, count and maximum of each account, ordered by it; a tenant without rows has none."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows_of(2):
        groups.setdefault(row["account_id"], []).append(row)
    assert tenants.ask(GROUPED, 2).document["data"] == [
        {
            "account_id": name,
            "api_calls_total": sum(row["api_calls"] for row in rows),
            "amount_total": sum((row["amount"] for row in rows), Decimal(0)),
            "row_total": len(rows),
            "last_day": max(row["usage_date"] for row in rows),
        }
        for name, rows in sorted(groups.items())
    ]
    assert tenants.ask(f"{GROUPED}?account_id=nobody").document["data"] == []


@pytest.mark.parametrize(
    ("query", "region", "most"),
    [("region=eu", "eu", 100), ("region=europe", "eu", 100), ("region=us&most=900", "us", 900)],
)
def test_aliases_and_defaults(tenants: Tenants, query: str, region: str, most: int) -> None:
    """An alias is what it stands for; a param left out has its default."""
    rows = [r for r in rows_of(0) if r["region"] == region and r["api_calls"] <= most]
    rows = sorted(rows, key=lambda row: int(row["api_calls"]))
    assert tenants.ask(f"{PICKED}?{query}").document["data"] == picked(rows)[:50]


def test_an_alias_has_the_etag_of_its_value(tenants: Tenants) -> None:
    """Requests that mean the same are the same: alias, default, order and column order."""
    same = [
        f"{PICKED}?region=eu&columns=region,api_calls",
        f"{PICKED}?columns=api_calls,region&region=europe",
        f"{PICKED}?region=eu&most=100&limit=50&offset=0&columns=region%2Capi_calls",
    ]
    replies = [tenants.ask(target) for target in same]
    assert len({(reply.headers["etag"], reply.body) for reply in replies}) == 1


@pytest.mark.parametrize("query", ["", "most=5", "account_id=a", "region=eu&account_id=a&most=5"])
def test_other_combinations_are_refused(tenants: Tenants, query: str) -> None:
    """Only the sets of params that the contract names; reserved ones do not count."""
    reply = tenants.ask(f"{PICKED}?limit=1&columns=region&{query}".rstrip("&"))
    assert (reply.status, reply.code) == (422, "bad_combination")


def test_ndjson_is_one_row_a_line(tenants: Tenants) -> None:
    """The rows of the JSON body, one a line, without `meta`; with an ETag of its own."""
    as_json, lines = tenants.ask(PLAIN), tenants.ask(PLAIN, accept="application/x-ndjson")
    assert lines.headers["content-type"] == "application/x-ndjson"
    assert lines.body.endswith(b"\n")
    rows = [json.loads(line, parse_float=Decimal) for line in lines.body.splitlines()]
    assert rows == as_json.document["data"]
    assert lines.headers["etag"] != as_json.headers["etag"]
    both = tenants.ask(PLAIN, accept="application/x-ndjson;q=0.5, application/json;q=0.4")
    assert both.headers["content-type"] == "application/x-ndjson"


@pytest.mark.parametrize("sent", ["abc", "a.b_c-9", "x" * 128])
def test_a_valid_request_id_is_kept(tenants: Tenants, sent: str) -> None:
    """It comes back in the header, and in the body of an error."""
    assert tenants.ask(PLAIN, x_request_id=sent).headers["x-request-id"] == sent
    refused = tenants.ask(f"{PLAIN}?limit=0", x_request_id=sent)
    assert refused.headers["x-request-id"] == sent
    assert refused.document["meta"] == {"request_id": sent}


@pytest.mark.parametrize("sent", ["", "a b", "x" * 129, 'a"b', "\xe9", "<b>"])
def test_an_invalid_request_id_is_replaced(tenants: Tenants, sent: str) -> None:
    """What could break a log or a page never comes back; a new id does."""
    reply = tenants.ask(f"{PLAIN}?limit=0", x_request_id=sent)
    assert re.fullmatch("[0-9a-f]{32}", reply.headers["x-request-id"])
    assert reply.document["meta"]["request_id"] == reply.headers["x-request-id"]
