"""What the head of an https:// answer says of an object: size, version, checksum, range."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from offloader.stores.digests import SIZES, best_checksum
from offloader.stores.store import StoreDenied, StoredObject

# RFC 9110, 8.8.3: a strong entity tag. A weak one (W/) does not say that the bytes are the same.
_STRONG = re.compile(r'"[!#-~\x80-\xff]{1,1024}"')
_RANGE = re.compile(r"bytes (?:([0-9]{1,18})-([0-9]{1,18})|\*)/([0-9]{1,18})")
_DIGEST = re.compile(r"([a-z0-9-]+)=:([A-Za-z0-9+/=]+):")
# RFC 9530, 5: digests of the representation; the names of the algorithms and of ours.
_DIGESTS = {"sha-256": "sha256", "crc32c": "crc32c", "md5": "md5"}


def described(
    key: str, url: str, size_bytes: int, headers: Mapping[str, str], *, is_whole: bool
) -> StoredObject:
    """Return the object that an answer is about; `is_whole` unless it was asked for a part only.

    Raises StoreDenied `version_missing`, `encoding_unsupported`.
    """
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        message = f"{url} answers in the content coding {coding[:20]!r}, though asked for none"
        hint = "have it serve these files as they are, without compression"
        raise StoreDenied("encoding_unsupported", message, hint)
    return StoredObject(
        key=key,
        size_bytes=size_bytes,
        version=_version(url, size_bytes, headers),
        modified_at=_modified_at(headers),
        checksum=_checksum(headers, is_whole=is_whole),
    )


def content_range(headers: Mapping[str, str]) -> tuple[int, int, int] | None:
    """Return (start, end, size) of Content-Range, end exclusive; (0, 0, size) for `bytes */size`.

    None when it is left out, has no size or is no range of bytes (RFC 9110, 14.4).
    """
    match = _RANGE.fullmatch(headers.get("content-range", "").strip())
    if match is None:
        return None
    if match[1] is None:
        return 0, 0, int(match[3])
    start, end, size = int(match[1]), int(match[2]) + 1, int(match[3])
    return (start, end, size) if start < end <= size else None


def condition(version: str) -> dict[str, str]:
    """Return the header that has a server answer for this version only."""
    if version.startswith('"'):
        return {"if-match": version}
    return {"if-unmodified-since": version.rpartition("/")[0]}


def _version(url: str, size_bytes: int, headers: Mapping[str, str]) -> str:
    tag, modified = headers.get("etag", "").strip(), headers.get("last-modified", "").strip()
    if _STRONG.fullmatch(tag):
        return tag
    if modified and _modified_at(headers):
        return f"{modified}/{size_bytes}"
    message = f"{url} gives neither a strong ETag nor Last-Modified"
    hint = "have it send an ETag: without, an overwrite in mid-load would not be seen"
    raise StoreDenied("version_missing", message, hint)


def _modified_at(headers: Mapping[str, str]) -> float:
    try:
        return parsedate_to_datetime(headers["last-modified"]).timestamp()
    except (KeyError, ValueError, OverflowError):
        return 0.0


def _checksum(headers: Mapping[str, str], *, is_whole: bool) -> tuple[str, str] | None:
    """Return the best checksum stated; Content-MD5 is of the bytes sent, so of a part for one."""
    stated: dict[str, str] = {}
    if is_whole and "content-md5" in headers:
        stated["md5"] = headers["content-md5"]
    if headers.get("x-goog-stored-content-encoding", "identity") == "identity":
        stated |= _google_hashes(headers.get("x-goog-hash", ""))
    digests = _DIGEST.findall(headers.get("repr-digest", ""))
    stated |= {_DIGESTS[name]: text for name, text in digests if name in _DIGESTS}
    return best_checksum(stated)


def _google_hashes(text: str) -> dict[str, str]:
    pairs = (item.strip().partition("=") for item in text.split(","))
    return {name: value for name, _, value in pairs if name in SIZES}
