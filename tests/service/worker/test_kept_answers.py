"""Rules of kept answers: the same bytes for less work, where the contract allows it, to whom."""

from __future__ import annotations

import gzip
from dataclasses import replace
from hashlib import sha256
from typing import Literal

import pytest

from offloader.catalog.model import Catalog, Key
from offloader.service.worker.answer import Query, Response, begin
from offloader.service.worker.generation import Generation, Opened, Served
from offloader.service.worker.prepare import Request
from offloader.service.worker.response_cache import ResponseCache
from tests.query.serving import serve

NOW = 1_780_272_000  # the watermark of built tables
MINUTES = 120
ROWS = [(tenant, number) for tenant in ("t0", "t1") for number in range(100)]


def key(tenant: str) -> Key:
    """Return the key of a tenant, whose token is its name."""
    return Key(tenant, sha256(tenant.encode()).hexdigest(), tenant, frozenset({"usage"}))


def generation(number: int = 1, policy: Literal["none", "snapshot"] = "snapshot") -> Generation:
    """Return a generation of one endpoint for two tenants."""
    made = serve(
        "tenant VARCHAR, calls BIGINT",
        ROWS,
        select="calls",
        tenant="tenant",
        cache_policy=policy,
        max_staleness_minutes=MINUTES,
    )
    plan, keys = made.plan, {one.hash: one for one in (key("t0"), key("t1"))}
    catalog = Catalog(True, {}, {"usage": plan.endpoint}, tuple(keys.values()))
    served, opened = {"usage": Served(plan.endpoint, plan)}, {"usage": Opened((), plan.segment, 0)}
    return Generation(number, catalog, served, keys, {}, {}, {}, opened=opened)


@pytest.fixture
def cache() -> ResponseCache:
    return ResponseCache(1 << 20)


def answered(
    made: Generation,
    cache: ResponseCache | None,
    query: bytes = b"",
    tenant: str = "t0",
    now: float = NOW,
    **headers: str,
) -> Response:
    """Return the whole answer of one request."""
    begun = begin(made, Request("usage", query, f"Bearer {tenant}", **headers), now, cache)
    return begun.finish() if isinstance(begun, Query) else begun


def said(response: Response) -> tuple[str, str, int]:
    """Return what an answer says of the cache: to callers, to the metrics, and rows scanned."""
    return dict(response.headers)["Offloader-Cache"], response.cache, response.rows_scanned


def test_the_second_time_nothing_is_read(cache: ResponseCache) -> None:
    """Headers and bytes are the same but for what is said of the cache and the time."""
    made = generation()
    first, second = answered(made, cache, b"limit=100"), answered(made, cache, b"limit=100")
    assert (said(first), said(second)) == (("miss", "miss", 100), ("hit", "hit", 0))
    assert second.body is first.body
    assert second.content_type == first.content_type
    later = answered(made, cache, b"limit=100", now=NOW + 60)
    assert said(later) == ("hit", "hit", 0)
    assert dict(later.headers)["Offloader-Snapshot-Age"] == "60"
    assert dict(later.headers)["ETag"] == dict(first.headers)["ETag"]


@pytest.mark.parametrize("other", [b"limit=99", b"limit=100&offset=1", b"limit=100&columns=calls"])
def test_another_request_is_another_answer(cache: ResponseCache, other: bytes) -> None:
    """But for one that means the same."""
    made = generation()
    answered(made, cache, b"limit=100")
    expected = "hit" if b"columns" in other else "miss"
    assert said(answered(made, cache, other))[0] == expected


def test_one_tenant_never_gets_what_was_kept_for_another(
    cache: ResponseCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even when the ETags are the same, as somebody may bring about."""
    made = generation()
    monkeypatch.setattr("offloader.service.worker.answer.make_etag", lambda *_: '"same"')
    first, other = answered(made, cache), answered(made, cache, tenant="t1")
    assert said(other)[0] == "miss"
    assert other.rows_scanned == first.rows_scanned > 0


def test_stale_answers_are_answers_of_their_own(cache: ResponseCache) -> None:
    """The bit is in the body."""
    made, late = generation(), NOW + MINUTES * 60 + 1
    assert b'"stale":false' in answered(made, cache).body
    stale = answered(made, cache, now=late)
    assert (said(stale)[0], b'"stale":true' in stale.body) == ("miss", True)
    assert said(answered(made, cache, now=late))[0] == "hit"


def test_representations_are_kept_each(cache: ResponseCache) -> None:
    """Compressed once: a hit is sent with the coding it was kept in."""
    made = generation()
    plain = answered(made, cache, b"limit=100")
    for expected in ("miss", "hit"):
        packed = answered(made, cache, b"limit=100", accept_encoding="gzip")
        assert said(packed)[0] == expected
        assert dict(packed.headers)["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.body) == plain.body
        table = answered(made, cache, b"limit=100", accept="text/csv")
        assert said(table)[0] == expected
        assert table.content_type.startswith("text/csv")


@pytest.mark.parametrize("limit_bytes", [None, 0])
def test_without_a_cache_answers_say_that_it_is_off(limit_bytes: int | None) -> None:
    """No cache, or one without room."""
    cache = None if limit_bytes is None else ResponseCache(limit_bytes)
    made = generation()
    for _ in range(2):
        assert said(answered(made, cache))[:2] == ("off", "off")


def test_an_endpoint_keeps_answers_only_where_its_contract_says_so(cache: ResponseCache) -> None:
    """The default policy keeps none."""
    made = generation(policy="none")
    for _ in range(2):
        assert said(answered(made, cache))[:2] == ("off", "off")
    assert len(cache) == 0


def test_a_generation_on_another_snapshot_keeps_none_of_the_old_ones(cache: ResponseCache) -> None:
    """Answers of a snapshot that goes on are hits after a swap, too; others are dropped."""
    made = generation()
    answered(made, cache)
    assert said(answered(replace(made, number=2), cache))[0] == "hit"
    plan = made.endpoints["usage"].plan
    assert plan is not None
    segment = replace(plan.segment, manifest_digest="c" * 32)
    newer = replace(
        made,
        number=3,
        endpoints={"usage": Served(plan.endpoint, replace(plan, segment=segment))},
        opened={"usage": Opened((), segment, 0)},
    )
    assert said(answered(newer, cache))[0] == "miss"
    assert len(cache) == 1
    assert said(answered(made, cache))[0] == "miss"  # a late request of an older generation
    assert len(cache) == 1


def test_an_equal_request_gets_the_same_body_under_its_own_headers() -> None:
    """Who waited for another's query read nothing; what time it is it says itself."""
    made, query = generation(policy="none"), b"limit=2"
    first, second = (
        begin(made, Request("usage", query, "Bearer t0", accept="text/csv"), now)
        for now in (NOW, NOW + 5)
    )
    assert isinstance(first, Query)
    assert isinstance(second, Query)
    assert (first.tag, first.owner) == (second.tag, second.owner)
    response = first.finish()
    shared = second.shared(response)
    assert (shared.body, shared.rows_scanned) == (response.body, 0)
    assert dict(shared.headers) == {**dict(response.headers), "Offloader-Snapshot-Age": "5"}
