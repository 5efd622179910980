"""From answers and errors to HTTP: the one place where an error becomes a status."""

from __future__ import annotations

from collections.abc import Iterator
from random import getrandbits

from sanic import HTTPResponse
from sanic import Request as HttpRequest
from sanic.exceptions import (
    BadRequest,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    RangeNotSatisfiable,
    RequestTimeout,
    SanicException,
)
from sanic.http.http1 import Http
from sanic.response.types import BaseHTTPResponse

from offloader.errors import RequestError
from offloader.service import log
from offloader.service.worker.answer import Response
from offloader.service.worker.refusals import error_body
from offloader.web.cors import METHODS
from offloader.web.request_head import REQUEST_ID
from offloader.web.trace_context import trace_fields

MAX_REQUEST_BYTES = 64 * 1024
MAX_HEADER_BYTES = 16 * 1024
_INVALID = "invalid_request"


def request_id_of(request: HttpRequest) -> str:
    """Return the caller's X-Request-Id when it is a plain one, else a new one."""
    sent = request.headers.get("x-request-id")
    return sent if sent and REQUEST_ID.fullmatch(sent) else new_request_id()


def new_request_id() -> str:
    """Return 32 hex digits. They need to be unique, not secret: 128 bits, seeded per process."""
    return f"{getrandbits(128):032x}"


def translate(
    error: Exception,
    request: HttpRequest,
    request_id: str,
    traceparent: str | None,
    endpoint: str = "-",
) -> RequestError:
    """Return what a caller is told of an exception; what nobody foresaw is logged and a 500.

    `endpoint` is the name of one that there is; that and the ids are for the log.
    """
    if isinstance(error, RequestError):
        return error
    if isinstance(error, NotFound):
        return RequestError(404, "not_found", "not_found", "there is nothing at this path")
    if isinstance(error, MethodNotAllowed):
        # Sanic names none for a path with a parameter: only an endpoint has one.
        allow = str(error.headers.get("Allow", "")) or METHODS
        allowed = ", ".join(sorted(allow.split(", ")))
        message = f"this path takes {allowed}"
        headers = (("Allow", allowed),)
        return RequestError(405, _INVALID, "method_not_allowed", message, headers=headers)
    if isinstance(error, PayloadTooLarge):
        return _too_large(request)
    if isinstance(error, RequestTimeout):
        return RequestError(408, _INVALID, "request_timeout", "the request came too slowly")
    if isinstance(error, BadRequest | RangeNotSatisfiable):
        return RequestError(400, _INVALID, "bad_request", "this is not a valid HTTP request")
    if isinstance(error, SanicException) and 400 <= error.status_code < 500:
        return RequestError(error.status_code, _INVALID, "bad_request", "the request is refused")
    if isinstance(error, SanicException) and error.status_code == 503:
        return RequestError(503, "busy", "busy", "the request took too long: try again")
    return broken(error, request_id, endpoint, traceparent)


def broken(
    error: Exception, request_id: str, endpoint: str, traceparent: str | None
) -> RequestError:
    """Log an error that nobody foresaw and return the 500 for it."""
    log.request_broke(error, request_id=request_id, endpoint=endpoint, **trace_fields(traceparent))
    return RequestError(500, "internal", "internal", "something broke: report the request id")


def _too_large(request: HttpRequest) -> RequestError:
    """Tell a body, a request line and header fields that are too large apart."""
    if request.method != "NONE":  # the head was read, so it is the body
        message = f"a body may have at most {MAX_REQUEST_BYTES} bytes"
        return RequestError(413, _INVALID, "body_too_large", message)
    received: bytes = getattr(request.stream, "recv_buffer", b"")
    if b"\r\n" not in received[:MAX_HEADER_BYTES]:
        message = f"the request line may have at most {MAX_HEADER_BYTES} bytes"
        return RequestError(414, _INVALID, "uri_too_long", message)
    message = f"the request head may have at most {MAX_HEADER_BYTES} bytes"
    return RequestError(431, _INVALID, "header_too_large", message)


def refusal(error: RequestError, request_id: str) -> Response:
    """Return the answer of a refusal; nobody may keep it."""
    pairs = (("Cache-Control", "no-store"), *error.headers)
    fields = "\r\n".join(map(": ".join, pairs))
    return Response(error.status, fields, error_body(error, request_id), code=error.code)


def error_response(error: RequestError, request_id: str) -> HTTPResponse:
    """Return a refusal of the admin port."""
    answer = refusal(error, request_id)
    headers = {"X-Request-Id": request_id, **dict(answer.headers)}
    return HTTPResponse(answer.body, answer.status, headers, content_type=answer.content_type)


class Composed(HTTPResponse):
    """An answer whose field lines are composed; the server adds those of the framing."""

    __slots__ = ("lines",)

    def __init__(self, answer: Response, lines: str) -> None:
        BaseHTTPResponse.__init__(self)  # type: ignore[no-untyped-call]
        self.body = answer.whole_body
        self.status = answer.status
        self.content_type = answer.content_type or None
        self.lines = lines

    @property
    def processed_headers(self) -> Iterator[tuple[bytes, bytes]]:
        """Return all fields, encoded, as if they were one: each by itself costs a microsecond."""
        added = [f"\r\n{name}: {value}" for name, value in self.headers.items()]
        if self.content_type is not None:
            added.append(f"\r\ncontent-type: {self.content_type}")
        name, _, rest = f"{self.lines}{''.join(added)}".encode().partition(b": ")
        return iter(((name, rest),))


def close_after(request: HttpRequest) -> None:
    """Answer with `Connection: close`, so that a draining instance loses its callers."""
    if isinstance(request.stream, Http):
        request.stream.keep_alive = False
