"""The access log: one line a request, without its query string or any header."""

from __future__ import annotations

from sanic import HTTPResponse
from sanic import Request as HttpRequest

from offloader.service import log


def log_request(
    policy: str,
    request: HttpRequest,
    response: HTTPResponse,
    request_id: str,
    endpoint: str,
    duration_ns: int,
) -> None:
    """Write a line when the policy (`off`, `errors`, `all`) asks for it."""
    if policy == "off" or (policy == "errors" and response.status < 500):
        return
    log.event(
        "request",
        request_id=request_id,
        method=request.method,
        endpoint=endpoint,
        status=response.status,
        duration_ms=round(duration_ns / 1e6, 3),
        snapshot=response.headers.get("Offloader-Snapshot-Id"),
    )
