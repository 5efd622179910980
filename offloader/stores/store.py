"""The one protocol every store speaks, and what can go wrong with any of them.

A backend makes each call once and translates what its library raises; retries, back-off and
deadlines are `patient.py`'s, so they are the same for all. Every backend passes one contract
suite, tests/stores/contract.py.

    SourceUnavailable
    ├── ObjectMissing       nothing lies under this key
    ├── ObjectChanged       it was overwritten or removed since it was looked up
    ├── ObjectExists        it is there already, and is never overwritten
    └── StoreFailed         the store did not answer as it should
        └── StoreDenied     it did, and says no: not tried again by the same call
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from offloader.errors import SourceUnavailable

READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One version of one object.

    `key` is its name in the store. `version` is opaque: the generation, the ETag or, for a file,
    what a change would change; reads of it fail once it is another. `checksum` is what the store
    itself says of its bytes, as (algorithm, lowercase hex) like a manifest's, None when it says
    nothing that can be compared. `modified_at` is seconds since the epoch, by the store's clock.
    """

    key: str
    size_bytes: int
    version: str
    modified_at: float
    checksum: tuple[str, str] | None = None


class ObjectStore(Protocol):
    """A folder, a bucket or a host. Every method may be called from any thread."""

    @property
    def url(self) -> str:
        """What errors and logs call it: `gs://bucket`, without any secret."""

    def stat(self, key: str) -> StoredObject:
        """Look one object up; raises ObjectMissing, StoreFailed."""

    def list(self, prefix: str, *, most: int) -> list[StoredObject]:
        """Return the objects whose keys begin with `prefix`, sorted by key, at most `most` + 1.

        A store that cannot list, such as HTTPS, raises StoreFailed `listing_unsupported`.
        """

    def read(
        self, found: StoredObject, start: int = 0, length: int | None = None
    ) -> Iterator[bytes]:
        """Yield `length` bytes of this very version from `start` on, to its end without `length`.

        Chunks have at most READ_BYTES. A range ends where the object does, as `range_bytes` says;
        for no bytes the store is not asked. Raises ObjectChanged when it is another version by
        now, StoreFailed `object_cut_short` when fewer bytes came, `object_overlong` when more did.
        """

    def write(self, key: str, content: BinaryIO, size_bytes: int) -> None:
        """Make an object out of `content`, which stands at its start: whole or not at all.

        It holds `size_bytes` bytes, else ValueError is raised. Raises ObjectExists rather than
        overwrite an object; StoreFailed, `store_read_only` for a store that cannot be written.
        """


class ObjectMissing(SourceUnavailable):
    """No object lies under this key."""


class ObjectChanged(SourceUnavailable):
    """The object was overwritten or removed since it was looked up."""


class ObjectExists(SourceUnavailable):
    """An object lies under this key already."""


class StoreFailed(SourceUnavailable):
    """The store did not answer, or not as it should; `after_seconds` is what it asked to wait."""

    def __init__(
        self, code: str, message: str, hint: str = "", *, after_seconds: float = 0.0
    ) -> None:
        super().__init__(code, message, hint)
        self.after_seconds = after_seconds


class StoreDenied(StoreFailed):
    """The store does not let this service do that; asking again at once changes nothing."""


def range_bytes(found: StoredObject, start: int, length: int | None) -> int:
    """Return how many bytes a range has: it ends where the object does, as a file's would."""
    if start < 0 or (length is not None and length < 0):
        raise ValueError("a range begins at 0 or later and is not negative")
    rest = max(0, found.size_bytes - start)
    return rest if length is None else min(length, rest)


def exactly(chunks: Iterable[bytes], length: int, url: str, key: str) -> Iterator[bytes]:
    """Yield chunks of at most READ_BYTES; raise StoreFailed unless they are `length` bytes.

    What is over is never yielded.
    """
    left = length
    for chunk in chunks:
        if len(chunk) > left:
            raise overlong(url, key, length)
        left -= len(chunk)
        for begin in range(0, len(chunk), READ_BYTES):
            yield chunk[begin : begin + READ_BYTES]
    if left:
        raise cut_short(url, key, left)


def check_length(stated: int | None, length: int, url: str, key: str) -> None:
    """Raise StoreFailed, before a body is read, when its Content-Length is below its range's.

    Such an answer does not end where it says (RFC 9112, 6.3): on a connection that is kept, the
    bytes behind it would be taken for the next answer. Closed unread, its connection is given up.
    """
    if stated is not None and stated < length:
        raise cut_short(url, key, length - stated)


def shown(url: str, key: str) -> str:
    """Return an object's name as errors and logs may tell it: without an https key's query."""
    return f"{url}/{key.partition('?')[0] if url.startswith('https:') else key}"


def missing(url: str, key: str) -> ObjectMissing:
    """Return the error for a key under which nothing lies."""
    hint = "see whether it was published, and under this very name"
    return ObjectMissing("object_missing", f"{shown(url, key)} does not exist", hint)


def changed(url: str, key: str) -> ObjectChanged:
    """Return the error for an object that is not the version that was looked up."""
    hint = "never overwrite a published file: write new ones, then a new manifest"
    return ObjectChanged("object_changed", f"{shown(url, key)} changed while it was read", hint)


def exists(url: str, key: str) -> ObjectExists:
    """Return the error for a key that is taken."""
    return ObjectExists("object_exists", f"{shown(url, key)} exists already", "choose another name")


def cut_short(url: str, key: str, missing_bytes: int) -> StoreFailed:
    """Return the error for a body that ended too early."""
    message = f"{shown(url, key)}: the answer ended {missing_bytes} bytes too early"
    return StoreFailed("object_cut_short", message, "it is tried again")


def overlong(url: str, key: str, asked_bytes: int) -> StoreFailed:
    """Return the error for a body that has more bytes than it should."""
    message = f"{shown(url, key)}: the answer is longer than the {asked_bytes} bytes asked for"
    return StoreFailed("object_overlong", message, "it is tried again; see what proxies do")


def wrong_range(url: str, key: str) -> StoreFailed:
    """Return the error for an answer that holds another part of the object than asked for."""
    message = f"{shown(url, key)}: the answer is not the range asked for"
    return StoreFailed("object_wrong_range", message, "it is tried again; see what proxies do")


def bucket_missing(url: str) -> StoreDenied:
    """Return the error for a bucket or folder that is not there at all."""
    hint = "check the name of the bucket or folder, and whose account or project it is in"
    return StoreDenied("bucket_missing", f"{url} does not exist", hint)


def check_key(url: str, key: str) -> None:
    """Raise StoreDenied `key_invalid` for a key that no store can have: empty, or no UTF-8."""
    if not key or "\0" in key or not _is_unicode(key):
        message = f"{url}: an object's key is empty or not UTF-8 without NUL"
        raise StoreDenied("key_invalid", message, "name an object, not the bucket or folder")


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def denied(url: str, what: str) -> StoreDenied:
    """Return the error for a refused permission; `what` is what was to be done."""
    hint = "see docs/object-stores.md for the permissions it takes, and check the credentials"
    return StoreDenied("store_denied", f"{url}: not allowed to {what}", hint)


def unreachable(url: str, reason: str) -> StoreFailed:
    """Return the error for a store that cannot be reached; `reason` holds no secret."""
    hint = "check network, DNS, proxy and firewall; it is tried again"
    return StoreFailed("store_unreachable", f"{url} cannot be reached: {reason}", hint)


def busy(url: str, status: int, after_seconds: float = 0.0) -> StoreFailed:
    """Return the error for a store that answers, but cannot do it now: 408, 429, 5xx."""
    message = f"{url} answered {status}"
    hint = "it is tried again"
    return StoreFailed("store_busy", message, hint, after_seconds=after_seconds)
