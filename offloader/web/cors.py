"""Cross-origin requests (Fetch standard): which pages may read an answer."""

from __future__ import annotations

METHODS = "GET, HEAD, OPTIONS"
_ALLOWED_HEADERS = "Accept, Authorization, If-None-Match, X-Request-Id"
_EXPOSED_HEADERS = (
    "ETag, Retry-After, X-Request-Id, Offloader-Cache, Offloader-Snapshot-Age,"
    " Offloader-Snapshot-Id, Offloader-Watermark"
)
_PREFLIGHT_SECONDS = 600


def cors_headers(origins: tuple[str, ...], origin: str | None) -> dict[str, str]:
    """Return the headers that let a page of `origin` read an answer; none when it may not."""
    allowed = _allowed(origins, origin)
    if allowed is None:
        return {}
    return {
        "Access-Control-Allow-Origin": allowed,
        "Access-Control-Expose-Headers": _EXPOSED_HEADERS,
    }


def preflight_headers(origins: tuple[str, ...], origin: str | None) -> dict[str, str]:
    """Return the headers that answer OPTIONS."""
    headers = {"Allow": METHODS}
    allowed = _allowed(origins, origin)
    if allowed is not None:
        headers |= {
            "Access-Control-Allow-Origin": allowed,
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": _ALLOWED_HEADERS,
            "Access-Control-Max-Age": str(_PREFLIGHT_SECONDS),
        }
    return headers


def vary(origins: tuple[str, ...], *, is_authed: bool) -> str:
    """Return the complete Vary header (RFC 9110, 12.5.5) of an endpoint's answers.

    `Authorization` when the caller's key decides them, `Origin` unless every page may read them.
    """
    names = ["Accept", "Accept-Encoding"]
    if is_authed:
        names.append("Authorization")
    if origins and origins != ("*",):
        names.append("Origin")
    return ", ".join(names)


def _allowed(origins: tuple[str, ...], origin: str | None) -> str | None:
    if origins == ("*",):
        return "*"
    return origin if origin is not None and origin in origins else None
