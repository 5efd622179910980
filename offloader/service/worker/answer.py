"""Answer one request: key → endpoint → representation → params → ETag → query → body.

Plain Python: no server, no socket. `begin` does everything that is quick; what reads many rows is
returned as a Query, for the caller to run where it does not hold up others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from offloader.catalog.model import Key
from offloader.errors import RequestError
from offloader.query.etag import etag as make_etag
from offloader.query.execute import rows_to_read, run
from offloader.query.formats import encode
from offloader.query.locate import Located, locate
from offloader.query.params import Bound, bind, parse_query
from offloader.query.plan import Plan
from offloader.service.worker.generation import Generation, Served
from offloader.service.worker.negotiate import Representation, matches, negotiate
from offloader.service.worker.stamp import Headers

NOT_READY_RETRY_SECONDS = 5
BUSY_RETRY_SECONDS = 1
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


@dataclass(slots=True)
class Response:
    """An answer; `cache` is `hit`, `miss`, `off` or empty."""

    status: int
    headers: Headers
    body: bytes
    content_type: str = "application/json"
    rows_scanned: int = 0
    cache: str = ""


@dataclass(slots=True, eq=False)
class Query:
    """A request that passed every check and is not answered yet."""

    served: Served
    plan: Plan
    bound: Bound
    tenant: str | None
    located: Located
    stale: bool
    representation: Representation
    headers: Headers

    @property
    def rows_to_read(self) -> int:
        """Estimate the rows that answering reads."""
        return rows_to_read(self.plan, self.bound, self.located)

    def finish(self) -> Response:
        """Run the query and encode the body."""
        media = self.representation.media
        result = run(self.plan, self.bound, self.tenant, self.located)
        return Response(
            status=200,
            headers=(*self.headers, ("Offloader-Cache", "off")),
            body=encode(media, self.plan, self.bound, result, stale=self.stale),
            content_type=self.representation.content_type,
            rows_scanned=result.rows_read,
            cache="off",
        )


def begin(generation: Generation | None, request: Request, now: float) -> Response | Query:
    """Check a request and answer it, or say what to run. `now` is seconds since the epoch.

    Raises RequestError for what the caller did wrong, and 503 `not_ready`.
    """
    if generation is None:
        raise not_ready("this worker is not ready yet")
    key = _check_key(generation, request.authorization, now)
    served = _find_endpoint(generation, key, request.endpoint)
    representation = negotiate(request.accept, request.accept_encoding)
    plan, stamps = served.plan, served.stamps
    if plan is None or stamps is None:
        raise not_ready("the data of this endpoint is not loaded yet")
    bound = bind(plan.signature, parse_query(request.query))
    tenant = key.tenant if key is not None and plan.tenant is not None else None
    stale = now > stamps.stale_after
    tag = make_etag(
        served.endpoint.digest,
        bound.canonical,
        tenant,
        plan.segment.manifest_digest,
        stale,
        representation.name,
    )
    headers = (("ETag", tag), *stamps.headers(now, is_authed=key is not None))
    if request.if_none_match is not None and matches(request.if_none_match, tag):
        return Response(304, headers, b"", "")
    located = locate(plan, bound, tenant)
    return Query(served, plan, bound, tenant, located, stale, representation, headers)


def error_body(error: RequestError, request_id: str) -> bytes:
    """Return the body of a refusal; nothing in it comes from the request but the id."""
    what: dict[str, str] = {
        "family": error.family,
        "code": error.code,
        "message": error.message,
    }
    if error.param is not None:
        what["param"] = error.param
    document: Mapping[str, object] = {"error": what, "meta": {"request_id": request_id}}
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def not_ready(message: str) -> RequestError:
    """Return the 503 for data that is still being loaded."""
    retry = (("Retry-After", str(NOT_READY_RETRY_SECONDS)),)
    return RequestError(503, "not_ready", "not_ready", f"{message}: try again", headers=retry)


def busy() -> RequestError:
    """Return the 503 for work that is shed under load."""
    retry = (("Retry-After", str(BUSY_RETRY_SECONDS)),)
    message = "too many heavy queries at once: try again, or narrow the request"
    return RequestError(503, "busy", "busy", message, headers=retry)


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
            if key and key.is_active and (key.expires_at is None or now < key.expires_at):
                return key
    raise RequestError(
        401,
        "unauthorized",
        "unauthorized",
        "send a valid key as Authorization: Bearer <key>",
        headers=(("WWW-Authenticate", "Bearer"),),
    )


def _find_endpoint(generation: Generation, key: Key | None, name: str) -> Served:
    """Return the endpoint; unknown and not granted are the same 404."""
    served = generation.endpoints.get(name)
    granted = key is None or name in key.endpoints
    if served is None or not granted:
        message = "there is no such endpoint for this key"
        raise RequestError(404, "not_found", "not_found", message)
    return served
