"""Answer one request: prepare → ETag → query → body.

Plain Python: no server, no socket. `begin` does everything that is quick; what reads many rows is
returned as a Query, for the caller to run where it does not hold up others.
"""

from __future__ import annotations

from dataclasses import dataclass

from offloader.query.cursor import cursor_gone
from offloader.query.etag import etag as make_etag
from offloader.query.execute import Result, Texts, rows_to_read, run
from offloader.query.formats import JSON, NDJSON, encode
from offloader.query.locate import locate
from offloader.query.located import Located, nothing
from offloader.query.params import Bound
from offloader.query.plan import Plan
from offloader.query.quick import Pieces, answer_quickly
from offloader.service.worker.coding import compress
from offloader.service.worker.generation import Generation, Served
from offloader.service.worker.negotiate import PLAIN_JSON, Representation, matches
from offloader.service.worker.prepare import Prepared, Request, check_expiry, prepare
from offloader.service.worker.refusals import not_ready
from offloader.service.worker.response_cache import Kept, Owner, ResponseCache

_TEXTS: dict[str, Texts] = {JSON: "joined", NDJSON: "rows"}


@dataclass(slots=True)
class Response:
    """An answer; `cache` is `hit`, `miss`, `off` or empty.

    `fields` are the lines of its header fields, CRLF between them; those of the framing, of the
    request id and of the content type are the server's to add. A large body may be in `pieces`, one
    of them in shared memory; then `body` is empty. `bytes_read` came out of a store. `code` is a
    refusal's.
    """

    status: int
    fields: str
    body: bytes
    content_type: str = "application/json"
    rows_scanned: int = 0
    cache: str = ""
    coding: str = ""
    pieces: Pieces | None = None
    bytes_read: int = 0
    code: str = ""

    @property
    def size_bytes(self) -> int:
        """The bytes of the body."""
        return len(self.body) if self.pieces is None else sum(map(len, self.pieces))

    @property
    def whole_body(self) -> bytes:
        """The body as one."""
        return self.body if self.pieces is None else b"".join(self.pieces)

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Return the header fields as names and values."""
        pairs = (line.partition(": ") for line in self.fields.split("\r\n"))
        return [(name, value) for name, _, value in pairs]


@dataclass(slots=True, eq=False)
class Query:
    """A request that passed every check and is not answered yet.

    `cache` is where its body is to be kept, under its ETag, None for nowhere. One that `is_remote`
    is located nowhere: `RemoteScans` reads its rows from the snapshot's files.
    """

    served: Served
    plan: Plan
    bound: Bound
    tenant: str | None
    located: Located
    stale: bool
    representation: Representation
    fields: str
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

    @property
    def is_remote(self) -> bool:
        """Whether its rows are read from the snapshot's files."""
        return self.served.is_remote

    def finish(self) -> Response:
        """Run the query, encode the body, and keep it where the endpoint allows that."""
        assert not self.is_remote
        return self.answered(self.plan, self._run())

    def answered(self, plan: Plan, result: Result) -> Response:
        """Return a page as the answer, and keep it where the endpoint allows that.

        `plan` is the one the page was made by.
        """
        media = self.representation.media
        body = encode(media, plan, self.bound, result, stale=self.stale)
        body, coding = compress(body, self.representation.coding)
        kept = Kept(body, self.representation.content_type, coding)
        cache = "off"
        if self.cache is not None:
            cache = "miss"
            self.cache.put(self.tag, self.owner, self.plan.segment.manifest_digest, kept)
        return _answered(self.fields, kept, cache, result.rows_read)

    def shared(self, response: Response) -> Response:
        """Return the answer to an equal request as the answer to this one, which read nothing."""
        kept = Kept(response.body, response.content_type, response.coding)
        return _answered(self.fields, kept, response.cache, 0)

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
    return answer(generation, prepare(generation, request, now), now, cache)


def answer(
    generation: Generation, prepared: Prepared, now: float, cache: ResponseCache | None = None
) -> Response | Query:
    """Answer a request that was prepared against this generation; otherwise as `begin`."""
    check_expiry(prepared.key, now)
    bound, tenant, representation = prepared.bound, prepared.tenant, prepared.representation
    served = generation.endpoints[prepared.endpoint]
    if bound.cursor is not None:
        served = _at_cursor(generation, prepared)
    plan, stamps = served.plan, served.stamps
    assert plan is not None
    assert stamps is not None
    stale = now > stamps.stale_after
    digest = plan.segment.manifest_digest
    tag = prepared.tags.get((digest, stale))
    if tag is None:
        name = representation.name
        tag = make_etag(plan.endpoint.digest, bound.canonical, tenant, digest, stale, name)
        prepared.tags[digest, stale] = tag
    fields = f"ETag: {tag}\r\n{stamps.fields(now, is_authed=prepared.key is not None)}"
    if prepared.if_none_match is not None and matches(prepared.if_none_match, tag):
        return Response(304, fields, b"", "")
    if cache is None or not cache.is_on or plan.endpoint.cache_policy == "none":
        cache = None
        if representation is PLAIN_JSON and not served.is_remote:
            quick = answer_quickly(plan, bound, tenant, stale=stale)
            if quick is not None:
                fields += "\r\nOffloader-Cache: off"
                body, rows = quick
                if isinstance(body, bytes):
                    return Response(200, fields, body, JSON, rows, "off")
                return Response(200, fields, b"", JSON, rows, "off", pieces=body)
    else:
        if cache.number != generation.number:
            cache.begin_generation(generation.number, generation.manifest_digests)
        kept = cache.get(tag, (plan.endpoint.name, tenant))
        if kept is not None:
            return _answered(fields, kept, "hit", 0)
    located = nothing() if served.is_remote else locate(plan, bound, tenant)
    return Query(served, plan, bound, tenant, located, stale, representation, fields, tag, cache)


def _answered(fields: str, kept: Kept, cache: str, rows_scanned: int) -> Response:
    fields += f"\r\nOffloader-Cache: {cache}"
    if kept.coding:
        fields += f"\r\nContent-Encoding: {kept.coding}"
    return Response(200, fields, kept.body, kept.content_type, rows_scanned, cache, kept.coding)


def _at_cursor(generation: Generation, prepared: Prepared) -> Served:
    """Return the endpoint on the snapshot that a cursor began on; 410 when it is not held."""
    assert prepared.bound.cursor is not None
    digest = prepared.bound.cursor.manifest_digest
    served = generation.find(prepared.endpoint, digest)
    if served is None:
        raise cursor_gone()
    return served
