"""Answer one request: key → endpoint → representation → params → ETag → query → body.

Plain Python: no server, no socket. `begin` does everything that is quick; what reads many rows is
returned as a Query, for the caller to run where it does not hold up others.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from offloader.catalog.model import Key
from offloader.query.cursor import asked_digest, check_cursor, cursor_gone
from offloader.query.etag import etag as make_etag
from offloader.query.execute import Result, Texts, rows_to_read, run
from offloader.query.formats import JSON, NDJSON, encode
from offloader.query.locate import Located, locate
from offloader.query.params import Bound, bind, parse_query
from offloader.query.plan import Plan
from offloader.query.quick import answer_quickly
from offloader.service.worker.coding import compress
from offloader.service.worker.generation import Generation, Served
from offloader.service.worker.negotiate import PLAIN_JSON, Representation, matches, negotiate
from offloader.service.worker.refusals import no_endpoint, not_ready, unauthorized
from offloader.service.worker.response_cache import Kept, Owner, ResponseCache
from offloader.service.worker.stamp import Headers

MAX_TOKEN_LENGTH = 4096
_BEARER = "Bearer "
_TEXTS: dict[str, Texts] = {JSON: "joined", NDJSON: "rows"}


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
    """A request that passed every check and is not answered yet.

    `cache` is where its body is to be kept, under its ETag, None for nowhere.
    """

    served: Served
    plan: Plan
    bound: Bound
    tenant: str | None
    located: Located
    stale: bool
    representation: Representation
    headers: Headers
    tag: str
    cache: ResponseCache | None = None

    @property
    def rows_to_read(self) -> int:
        """Estimate the rows that answering reads."""
        return rows_to_read(self.plan, self.bound, self.located)

    @property
    def owner(self) -> Owner:
        """Whose body this is: the endpoint's, and the tenant's."""
        return self.plan.endpoint.name, self.tenant

    def finish(self) -> Response:
        """Run the query, encode the body, and keep it where the endpoint allows that."""
        result = self._run()
        media = self.representation.media
        body = encode(media, self.plan, self.bound, result, stale=self.stale)
        body, coding = compress(body, self.representation.coding)
        kept = Kept(body, self.representation.content_type, coding)
        cache = "off"
        if self.cache is not None:
            cache = "miss"
            self.cache.put(self.tag, self.owner, self.plan.segment.manifest_digest, kept)
        return _answered(self.headers, kept, cache, result.rows_read)

    def shared(self, response: Response) -> Response:
        """Return the answer to an equal request as the answer to this one, which read nothing."""
        headers = (*self.headers, *response.headers[len(self.headers) :])
        return Response(200, headers, response.body, response.content_type, 0, response.cache)

    def _run(self) -> Result:
        texts = _TEXTS.get(self.representation.media)
        return run(self.plan, self.bound, self.tenant, self.located, texts=texts)


def begin(
    generation: Generation | None,
    request: Request,
    now: float,
    cache: ResponseCache | None = None,
) -> Response | Query:
    """Check a request and answer it, or say what to run. `now` is seconds since the epoch.

    `cache` is used for endpoints whose contract allows it. Raises RequestError for what the caller
    did wrong, and 503 `not_ready`.
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
    if bound.cursor is not None:
        served = _at_cursor(generation, plan, bound, tenant)
        plan, stamps = served.plan, served.stamps
        assert plan is not None
        assert stamps is not None
    stale = now > stamps.stale_after
    tag = make_etag(
        plan.endpoint.digest,
        bound.canonical,
        tenant,
        plan.segment.manifest_digest,
        stale,
        representation.name,
    )
    headers = (("ETag", tag), *stamps.headers(now, is_authed=key is not None))
    if request.if_none_match is not None and matches(request.if_none_match, tag):
        return Response(304, headers, b"", "")
    if cache is None or not cache.is_on or plan.endpoint.cache_policy == "none":
        cache = None
        if representation is PLAIN_JSON:
            quick = answer_quickly(plan, bound, tenant, stale=stale)
            if quick is not None:
                headers = (*headers, ("Offloader-Cache", "off"))
                return Response(200, headers, quick[0], JSON, quick[1], "off")
    else:
        if cache.number != generation.number:
            cache.begin_generation(generation.number, generation.manifest_digests)
        kept = cache.get(tag, (plan.endpoint.name, tenant))
        if kept is not None:
            return _answered(headers, kept, "hit", 0)
    located = locate(plan, bound, tenant)
    return Query(served, plan, bound, tenant, located, stale, representation, headers, tag, cache)


def _answered(headers: Headers, kept: Kept, cache: str, rows_scanned: int) -> Response:
    headers = (*headers, ("Offloader-Cache", cache))
    if kept.coding:
        headers = (*headers, ("Content-Encoding", kept.coding))
    return Response(200, headers, kept.body, kept.content_type, rows_scanned, cache)


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
    raise unauthorized()


def _find_endpoint(generation: Generation, key: Key | None, name: str) -> Served:
    """Return the endpoint; unknown and not granted are the same 404."""
    served = generation.endpoints.get(name)
    granted = key is None or name in key.endpoints
    if served is None or not granted:
        raise no_endpoint()
    return served


def _at_cursor(generation: Generation, plan: Plan, bound: Bound, tenant: str | None) -> Served:
    """Return the endpoint on the snapshot that a cursor began on; 410 when it is not held."""
    assert bound.cursor is not None
    asked = asked_digest(bound.values, bound.columns, tenant)
    check_cursor(bound.cursor, plan.envelope.cursor_head, asked)
    served = generation.find(plan.endpoint.name, bound.cursor.manifest_digest)
    if served is None:
        raise cursor_gone()
    return served
