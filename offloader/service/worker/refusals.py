"""Refusals: what a caller is told when a request is not answered."""

from __future__ import annotations

from collections.abc import Mapping

import ujson

from offloader.errors import RequestError

NOT_READY_RETRY_SECONDS = 5
BUSY_RETRY_SECONDS = 1


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
    return ujson.dumps(document, ensure_ascii=False, escape_forward_slashes=False).encode()


def unauthorized() -> RequestError:
    """Return the one 401 for any key that does not open anything."""
    return RequestError(
        401,
        "unauthorized",
        "unauthorized",
        "send a valid key as Authorization: Bearer <key>",
        headers=(("WWW-Authenticate", "Bearer"),),
    )


def no_endpoint() -> RequestError:
    """Return the one 404 for an endpoint that is unknown or not granted."""
    return RequestError(404, "not_found", "not_found", "there is no such endpoint for this key")


def not_ready(message: str) -> RequestError:
    """Return the 503 for data that is still being loaded."""
    retry = (("Retry-After", str(NOT_READY_RETRY_SECONDS)),)
    return RequestError(503, "not_ready", "not_ready", f"{message}: try again", headers=retry)


def busy() -> RequestError:
    """Return the 503 for work that is shed under load."""
    retry = (("Retry-After", str(BUSY_RETRY_SECONDS)),)
    message = "too many heavy queries at once: try again, or narrow the request"
    return RequestError(503, "busy", "busy", message, headers=retry)


class ScanRefused(RequestError):
    """The 503 for rows that cannot be read from a snapshot's files; `reason` is what metrics say.

    It is `unavailable`, `changed`, `timeout` or `too_large`.
    """

    def __init__(self, code: str, message: str, reason: str) -> None:
        seconds = _SCAN_RETRY_SECONDS[reason]
        headers = (("Retry-After", str(seconds)),)
        super().__init__(503, "busy", code, message, headers=headers)
        self.reason = reason


_SCAN_RETRY_SECONDS = {"unavailable": 5, "changed": 30, "timeout": 5, "too_large": 60}


def source_unavailable(reason: str) -> ScanRefused:
    """Return the 503 for a store that does not answer, or a file that is not what it was."""
    message = "the files of this endpoint cannot be read right now: try again"
    return ScanRefused("source_unavailable", message, reason)


def scan_timeout() -> ScanRefused:
    """Return the 503 for a scan that takes too long."""
    message = "reading the files took too long: try again, or narrow the request"
    return ScanRefused("scan_timeout", message, "timeout")


def scan_too_large() -> ScanRefused:
    """Return the 503 for a scan that would read, or keep, more than one request may."""
    message = "the request reads too much of the files: narrow it"
    return ScanRefused("scan_too_large", message, "too_large")
