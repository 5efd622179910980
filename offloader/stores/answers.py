"""What the answers of all network stores have in common: statuses, Retry-After, broken connections.

Nothing here quotes a foreign error's message: URLs in them may be signed, headers hold tokens.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from typing import Literal

from offloader.stores.store import StoreDenied, StoreFailed, busy, denied

# The calls of a store, and what each is in words.
Call = Literal["stat", "list", "read", "write"]
WHAT: Mapping[Call, str] = {
    "stat": "look objects up",
    "list": "list objects",
    "read": "read objects",
    "write": "create objects",
}
_LENGTH = re.compile(r"[0-9]{1,18}")
_SECONDS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
_MAX_CAUSES = 12


def failure_for(url: str, status: int, headers: Mapping[str, str], what: str) -> StoreFailed:
    """Return the error for a status that is neither success nor about one object.

    `what` is what was to be done, in words: `read objects`.
    """
    if status in (401, 403):
        return denied(url, what)
    if status in (408, 425, 429) or status >= 500:
        return busy(url, status, asked_seconds(headers))
    return refused(url, status)


def refused(url: str, status: int) -> StoreDenied:
    """Return the error for a status that asking again does not change: 400, a redirect."""
    hint = "check the name of the bucket or host, the endpoint, and what lies between"
    return StoreDenied("store_refused", f"{url} answered {status}", hint)


def garbled(url: str) -> StoreFailed:
    """Return the error for an answer that is not what this kind of store says."""
    message = f"{url} answered something that cannot be understood"
    return StoreFailed("store_garbled", message, "see whether a proxy answers in its place")


def content_length(headers: Mapping[str, str]) -> int | None:
    """Return the bytes of Content-Length, None when it is left out or no number.

    Names of headers are lower-case, or found whatever their case is.
    """
    text = headers.get("content-length", "").strip()
    return int(text) if _LENGTH.fullmatch(text) else None


def asked_seconds(headers: Mapping[str, str]) -> float:
    """Return the seconds of Retry-After (RFC 9110, 10.2.3), 0 when it says none.

    Its other form, a date, counts as none: the store's clock need not be ours.
    """
    text = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    return float(text) if _SECONDS.fullmatch(text.strip()) else 0.0


def reason_of(error: BaseException) -> str:
    """Say in a few words why a connection failed, without what its libraries say of it."""
    chain = _causes(error)
    names = " ".join(type(one).__name__ for one in chain)
    if "Timeout" in names or any(isinstance(one, TimeoutError) for one in chain):
        return "it did not answer in time"
    if any(isinstance(one, ssl.SSLCertVerificationError) for one in chain):
        return "its TLS certificate cannot be verified"
    said = [one.strerror for one in chain if isinstance(one, OSError) and one.strerror]
    return said[-1] if said else type(error).__name__


def _causes(error: BaseException) -> list[BaseException]:
    """Return an error and what caused it, outermost first."""
    chain: list[BaseException] = []
    following: object = error
    while isinstance(following, BaseException) and len(chain) < _MAX_CAUSES:
        chain.append(following)
        inner = [getattr(following, "reason", None), *following.args]
        causes = [one for one in inner if isinstance(one, BaseException) and one not in chain]
        following = following.__cause__ or next(iter(causes), None) or following.__context__
    return chain
