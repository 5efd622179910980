"""The answers that the documentation shows are the answers that are given."""

from __future__ import annotations

import hashlib
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from offloader.catalog.model import Catalog
from offloader.errors import RequestError
from offloader.query.cursor import read_cursor
from tests.docs.markdown import ROOT, CurlRequest, answered_requests, blocks
from tests.examples.answers import EXAMPLES, Example, open_example

PAGES = ("README.md", "docs/api.md", "dev/examples/customer-analytics/README.md")
_FILE = re.compile(r"`shop/([a-z_/.0-9-]+)`[^`]*(?:`[^`]+`[^`]*)*?```\w+\n(.*?)^```$", re.M | re.S)


@pytest.fixture(scope="module")
def usage(tmp_path_factory: pytest.TempPathFactory) -> Example:
    return open_example(EXAMPLES / "customer-analytics", tmp_path_factory.mktemp("usage"))


def shown(page: str) -> list[tuple[CurlRequest, Any]]:
    """Return the requests of a page to endpoints, with the answers it shows."""
    return [
        (request, json.loads(text, parse_float=Decimal))
        for request, text in answered_requests(ROOT / page)
        if "/v1/endpoints/" in request.url
    ]


def comparable(answer: Any) -> Any:
    """Return an answer without what its cursor says.

    A cursor names the snapshot by a digest, and the files of an example differ with the version of
    the library that writes them.
    """
    cursor = answer["meta"]["next_cursor"]
    if cursor is not None:
        read_cursor(cursor)
    return {**answer, "meta": {**answer["meta"], "next_cursor": cursor is not None}}


def tenant_of(catalog: Catalog, request: CurlRequest) -> str | None:
    """Return the tenant of the request's key; fail when the key may not ask this."""
    token = request.headers["Authorization"].removeprefix("Bearer ")
    digest = hashlib.sha256(token.encode()).hexdigest()
    (key,) = (key for key in catalog.keys if key.hash == digest)
    assert request.endpoint in key.endpoints
    return key.tenant


@pytest.mark.parametrize("page", PAGES)
def test_answers_out_of_customer_analytics(page: str, usage: Example) -> None:
    """Every answer that follows a curl command is its answer over the default rows."""
    requests = shown(page)
    assert requests
    for request, answer in requests:
        tenant = tenant_of(usage.catalog, request)
        body = usage.body(request.endpoint, request.query, tenant)
        assert comparable(json.loads(body, parse_float=Decimal)) == comparable(answer)


def test_answers_out_of_flights(tmp_path: Path) -> None:
    """Every answer that the page of the flights example shows is given."""
    flights = open_example(EXAMPLES / "flights", tmp_path)
    requests = shown("dev/examples/flights/README.md")
    assert requests
    for request, answer in requests:
        body = flights.body(request.endpoint, request.query)
        assert comparable(json.loads(body, parse_float=Decimal)) == comparable(answer)


def test_the_quickstart_gives_its_answer(tmp_path: Path) -> None:
    """The files of the quickstart, written as shown, serve what it shows."""
    text = (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8")
    for name, content in _FILE.findall(text):
        path = tmp_path / "shop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    shop = open_example(tmp_path / "shop", tmp_path)
    assert shop.problems == ()
    ((request, answer),) = shown("docs/quickstart.md")
    body = shop.body(request.endpoint, request.query, tenant_of(shop.catalog, request))
    assert comparable(json.loads(body, parse_float=Decimal)) == comparable(answer)


def test_the_shown_error_is_a_real_one(usage: Example) -> None:
    """The error in docs/api.md is what a limit out of range is answered with."""
    found = [block.text for block in blocks(ROOT / "docs" / "api.md") if '"error"' in block.text]
    (error,) = (json.loads(text)["error"] for text in found)
    with pytest.raises(RequestError) as raised:
        usage.body("customer_top_accounts", "limit=1000", "acme")
    refusal = raised.value
    assert error == {
        "family": refusal.family,
        "code": refusal.code,
        "message": refusal.message,
        "param": refusal.param,
    }
