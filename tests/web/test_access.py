"""Who may read what: keys, grants and tenants."""

from __future__ import annotations

import re

import pytest

from tests.http_replies import Reply
from tests.web.conftest import Tenants
from tests.web.served import BAD_TOKENS, GROUPED, PLAIN, ROTATED_TOKEN, newest_first, rows_of

BAD_AUTHORIZATIONS = {
    "missing": None,
    "empty": "",
    "unknown": "Bearer nobody",
    "revoked": f"Bearer {BAD_TOKENS['revoked']}",
    "expired": f"Bearer {BAD_TOKENS['expired']}",
    "another scheme": "Basic test-token-tenant_0",
    "no scheme": "test-token-tenant_0",
    "no token": "Bearer",
    "too long": "Bearer " + "a" * 5000,
    "not ASCII": "Bearer \xe9\xff",
}


def without_id(reply: Reply) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return a whole answer but for its request id."""
    request_id = reply.headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{32}", request_id)
    pairs = [pair for pair in reply.pairs if pair[0] != "X-Request-Id"]
    return reply.status, pairs, reply.body.replace(request_id.encode(), b"ID")


@pytest.mark.parametrize("why", BAD_AUTHORIZATIONS)
@pytest.mark.parametrize("target", [PLAIN, f"{PLAIN}?limit=bad", "/v1/endpoints/nothing"])
def test_every_bad_key_gets_the_same_answer(tenants: Tenants, why: str, target: str) -> None:
    """401, byte for byte the same whatever is wrong with the key, and before all other checks."""
    sent = BAD_AUTHORIZATIONS[why]
    reply = tenants.service.ask(target, {} if sent is None else {"Authorization": sent})
    assert without_id(reply) == (
        401,
        [
            ("Cache-Control", "no-store"),
            ("WWW-Authenticate", "Bearer"),
            ("Vary", "Accept, Accept-Encoding, Authorization"),
            ("X-Content-Type-Options", "nosniff"),
            ("content-length", "174"),
            ("connection", "keep-alive"),
            ("content-type", "application/json"),
        ],
        b'{"error":{"family":"unauthorized","code":"unauthorized","message":"send a valid key as'
        b' Authorization: Bearer <key>"},"meta":{"request_id":"ID"}}',
    )


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_second_key_of_a_tenant_works(tenants: Tenants, scheme: str) -> None:
    """Two active keys may share a tenant, and the scheme's case does not matter (RFC 9110)."""
    reply = tenants.service.ask(PLAIN, {"Authorization": f"{scheme} {ROTATED_TOKEN}"})
    assert (reply.status, reply.body) == (200, tenants.ask(PLAIN, 0).body)


def test_an_endpoint_not_granted_is_one_that_does_not_exist(tenants: Tenants) -> None:
    """Both 404s are the same bytes but for the request id, also under HEAD and with bad params."""
    for query in ("", "?limit=bad", "?%00"):
        unknown, hidden = (
            tenants.ask(f"/v1/endpoints/{name}{query}") for name in ("usage_absent", "usage_hidden")
        )
        assert without_id(hidden) == without_id(unknown)
        assert (hidden.status, hidden.code) == (404, "not_found")
    heads = [tenants.ask(f"/v1/endpoints/{n}", method="HEAD") for n in ("absent", "usage_hidden")]
    assert without_id(heads[0]) == without_id(heads[1])


@pytest.mark.parametrize("tenant", [0, 1, 2])
def test_a_tenant_sees_its_rows_only(tenants: Tenants, tenant: int) -> None:
    """All of its own rows and none of another's, in plain rows and in sums."""
    own = rows_of(tenant)
    reply = tenants.ask(f"{PLAIN}?limit=500", tenant)
    assert reply.document["data"] == newest_first(own)
    sums = tenants.ask(f"{GROUPED}?columns=api_calls_total", tenant).document["data"]
    assert sum(row["api_calls_total"] for row in sums) == sum(row["api_calls"] for row in own)


@pytest.mark.parametrize("name", ["tenant_id", "tenant", "tenant_id%00", "TENANT_ID"])
def test_the_tenant_cannot_be_sent(tenants: Tenants, name: str) -> None:
    """A caller who names a tenant, even its own, is refused with 422."""
    reply = tenants.ask(f"{PLAIN}?{name}=tenant_0")
    assert reply.status == 422
    assert b"tenant_0" not in reply.body


def test_tenants_have_their_own_etags(tenants: Tenants) -> None:
    """One tenant's ETag never makes a 304 for another."""
    tag = tenants.ask(PLAIN, 0).headers["etag"]
    assert tenants.ask(PLAIN, 0, if_none_match=tag).status == 304
    assert tenants.ask(PLAIN, 1, if_none_match=tag).status == 200
