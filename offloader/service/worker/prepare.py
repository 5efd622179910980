"""Prepare one request: key → endpoint → representation → params. Nothing here depends on the time.

What is prepared holds good for every equal request to the same generation, so that a request that
comes again, as one that looks for something newer does, is checked once.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from offloader.catalog.model import Key
from offloader.query.cursor import asked_digest, check_cursor
from offloader.query.params import Bound, bind, parse_query
from offloader.query.plan import Plan
from offloader.service.worker.generation import Generation
from offloader.service.worker.negotiate import Representation, negotiate
from offloader.service.worker.refusals import no_endpoint, not_ready, unauthorized

MAX_TOKEN_LENGTH = 4096
_BEARER = "Bearer "


@dataclass(slots=True)
class Request:
    """What of a request an answer depends on; `query` is raw, headers are None when not sent."""

    endpoint: str
    query: bytes
    authorization: str | None = None
    accept: str | None = None
    if_none_match: str | None = None
    accept_encoding: str | None = None


@dataclass(slots=True, eq=False)
class Prepared:
    """A request that passed every check against the generation `number`.

    It names the endpoint and holds nothing of the snapshot, whose memory is not kept because of it.
    `tenant` is the key's, None for endpoints without tenants. `tags` are ETags already made, by the
    snapshot's manifest and whether it is stale.
    """

    number: int
    endpoint: str
    key: Key | None
    tenant: str | None
    bound: Bound
    representation: Representation
    if_none_match: str | None
    tags: dict[tuple[str, bool], str]


def prepare(generation: Generation, request: Request, now: float) -> Prepared:
    """Check a request; `now` is seconds since the epoch.

    Raises RequestError for the first thing the caller did wrong, and 503 `not_ready`.
    """
    key = _check_key(generation, request.authorization, now)
    served = generation.endpoints.get(request.endpoint)
    if served is None or (key is not None and request.endpoint not in key.endpoints):
        raise no_endpoint()  # the same for both: a caller learns nothing of what is not granted
    representation = negotiate(request.accept, request.accept_encoding)
    plan = served.plan
    if plan is None:
        raise not_ready("the data of this endpoint is not loaded yet")
    bound = bind(plan.signature, parse_query(request.query))
    tenant = key.tenant if key is not None and plan.tenant is not None else None
    if bound.cursor is not None:
        _check_cursor(plan, bound, tenant)
    return Prepared(
        generation.number,
        request.endpoint,
        key,
        tenant,
        bound,
        representation,
        request.if_none_match,
        {},
    )


def check_expiry(key: Key | None, now: float) -> None:
    """Raise the 401 when a key is no longer valid at `now`."""
    if key is not None and key.expires_at is not None and now >= key.expires_at:
        raise unauthorized()


def _check_key(generation: Generation, authorization: str | None, now: float) -> Key | None:
    """Return the caller's key, None for a public API; raise the one 401 for any bad key."""
    if not generation.catalog.auth_required:
        return None
    if authorization is not None:
        token = authorization[len(_BEARER) :]
        is_bearer = authorization.startswith(_BEARER) or authorization[:7].lower() == "bearer "
        if is_bearer and 0 < len(token) <= MAX_TOKEN_LENGTH:
            digest = sha256(token.strip().encode("utf-8", "surrogateescape")).hexdigest()
            key = generation.keys.get(digest)
            if key and key.is_active:
                check_expiry(key, now)
                return key
    raise unauthorized()


def _check_cursor(plan: Plan, bound: Bound, tenant: str | None) -> None:
    assert bound.cursor is not None
    asked = asked_digest(bound.values, bound.columns, tenant)
    check_cursor(bound.cursor, plan.envelope.cursor_head, asked)
