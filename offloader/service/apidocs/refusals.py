"""Refusals of the product API: status, family, codes, and what a caller does about each."""

from __future__ import annotations

from dataclasses import dataclass

from offloader.query.codes import REQUEST_CODES

EXAMPLE_REQUEST_ID = "0b54e6a1c2f94d0f8f3f6f5f4d1c2b3a"
_LONG_QUERY = "uri_too_long"


@dataclass(frozen=True, slots=True)
class Told:
    """One status that a request can be refused with.

    `name` is its component's. `codes` may be sent with it; `message` and `param` are an example's,
    of the first code and the first family.
    """

    status: int
    name: str
    families: tuple[str, ...]
    codes: tuple[str, ...]
    when: str
    remedy: str
    message: str
    param: str = ""

    @property
    def example(self) -> dict[str, object]:
        """The body, with the first code."""
        error = {"family": self.families[0], "code": self.codes[0], "message": self.message}
        if self.param:
            error["param"] = self.param
        return {"error": error, "meta": {"request_id": EXAMPLE_REQUEST_ID}}


_INVALID = ("invalid_request",)
_ALL = (
    Told(400, "BadRequest", _INVALID, ("bad_request",), "It is not HTTP.",
         "Use an HTTP library.", "this is not a valid HTTP request"),
    Told(401, "Unauthorized", ("unauthorized",), ("unauthorized",),
         "The key is missing, unknown, revoked or expired.",
         "Send a valid key as Authorization: Bearer <key>.",
         "send a valid key as Authorization: Bearer <key>"),
    Told(404, "NotFound", ("not_found",), ("not_found",),
         "There is no such endpoint, or the key is not granted it.",
         "Check the name; ask for the endpoint to be granted to your key.",
         "there is no such endpoint for this key"),
    Told(405, "MethodNotAllowed", _INVALID, ("method_not_allowed",),
         "The method is not GET, HEAD or OPTIONS.", "Send GET.",
         "this path takes GET, HEAD, OPTIONS"),
    Told(406, "NotAcceptable", _INVALID, ("not_acceptable",),
         "Accept names no format there is, or the answer does not fit it.",
         "Send Accept: application/json.", "send Accept: application/json or text/csv"),
    Told(408, "RequestTimeout", _INVALID, ("request_timeout",), "The request came too slowly.",
         "Send it again.", "the request came too slowly"),
    Told(410, "Gone", ("gone",), ("cursor_gone",),
         "The snapshot that the cursor began on is no longer held.",
         "Start again without cursor.",
         "the snapshot this cursor began on is no longer held: start again without cursor",
         "cursor"),
    Told(413, "BodyTooLarge", _INVALID, ("body_too_large",), "The body has more than 64 KiB.",
         "Send no body.", "a body may have at most 65536 bytes"),
    Told(414, "UriTooLong", _INVALID, (_LONG_QUERY,), "The query string has more than 8 KiB.",
         "Send shorter params.", "the query string must be at most 8192 bytes"),
    Told(422, "InvalidParam", ("invalid_param",),
         ("out_of_range", *(c for c in REQUEST_CODES if c not in ("out_of_range", _LONG_QUERY))),
         "A param is missing, mistyped, out of range, unknown or repeated, or the combination of"
         " params is not allowed.", "Mend the request: message says how, param names the culprit.",
         "limit must be from 1 to 100", "limit"),
    Told(431, "HeaderTooLarge", _INVALID, ("header_too_large",),
         "The headers have more than 16 KiB.", "Send fewer or shorter headers.",
         "the request head may have at most 16384 bytes"),
    Told(500, "Internal", ("internal",), ("internal",), "The service is at fault.",
         "Report the request id.", "something broke: report the request id"),
    Told(503, "Unavailable", ("busy", "not_ready"),
         ("busy", "not_ready", "source_unavailable", "scan_timeout", "scan_too_large"),
         "The data is not loaded yet, or the work is shed under load.",
         "Wait for as many seconds as Retry-After says, and ask again.",
         "too many heavy queries at once: try again, or narrow the request"),
)  # fmt: skip


def refusals(*, is_authed: bool) -> tuple[Told, ...]:
    """Return every status that an endpoint can refuse with; a public API knows no 401."""
    return tuple(told for told in _ALL if is_authed or told.status != 401)


def families() -> list[str]:
    """Return every family of errors, in the order of their statuses."""
    return list(dict.fromkeys(family for told in _ALL for family in told.families))
