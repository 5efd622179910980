"""Files behind a web server: looked up and read in ranges over https://, never listed or written.

A key is what stands behind the host in the URL, path[?query], percent-encoded or not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import IncompleteRead, ProtocolError

from offloader.errors import SourceUnavailable
from offloader.stores.access import Access
from offloader.stores.answers import content_length, failure_for
from offloader.stores.https_answer import condition, content_range, described
from offloader.stores.https_client import HttpsClient
from offloader.stores.public_address import Host
from offloader.stores.store import (
    StoreDenied,
    StoredObject,
    StoreFailed,
    changed,
    check_key,
    check_length,
    exactly,
    missing,
    range_bytes,
    shown,
    wrong_range,
)

# To connect to one address, and between two bytes that arrive.
ASK_SECONDS = (5.0, 20.0)
_NO_HEAD = (403, 405, 501)
_PIECE_BYTES = 64 * 1024


class HttpsStore:
    """One host. Each call is made once, with at most five redirects; any thread may make it."""

    def __init__(self, host: str, client: HttpsClient) -> None:
        self._host = host
        self._client = client

    @classmethod
    def open(cls, host: str, access: Access) -> HttpsStore:
        """Open a host[:port] without asking it anything; raises StoreDenied `host_invalid`."""
        return cls(host, HttpsClient(Host.parse(host), access.https_hosts, ASK_SECONDS))

    @property
    def url(self) -> str:
        """What errors and logs call it."""
        return f"https://{self._host}"

    def stat(self, key: str) -> StoredObject:
        """Look one object up by HEAD, or by its first byte where a server refuses HEAD."""
        check_key(self.url, key)
        with self._client.ask("HEAD", key) as head:
            size = content_length(head.headers)
            if head.status == 200 and size is not None:
                return described(key, shown(self.url, key), size, head.headers, is_whole=True)
            # A signed URL is signed for GET alone; a page made on the fly has no length.
            if head.status not in (200, *_NO_HEAD):
                raise self._failed(key, head)
        return self._first_byte(key)

    def list(self, prefix: str, *, most: int) -> list[StoredObject]:
        """Refuse: web servers have no listing; raises StoreDenied `listing_unsupported`."""
        del prefix, most
        hint = "use gs:// or s3://, or name each file"
        raise StoreDenied("listing_unsupported", f"{self.url} cannot list its files", hint)

    def read(
        self, found: StoredObject, start: int = 0, length: int | None = None
    ) -> Iterator[bytes]:
        """Yield a range of the version that was looked up."""
        check_key(self.url, found.key)
        wanted = range_bytes(found, start, length)
        return self._body(found, start, wanted) if wanted else iter(())

    def write(self, key: str, content: BinaryIO, size_bytes: int) -> None:
        """Refuse; raises StoreDenied `store_read_only`."""
        del key, content, size_bytes
        hint = "use gs:// or s3:// for what is to be written"
        raise StoreDenied("store_read_only", f"{self.url} is only read", hint)

    def _first_byte(self, key: str) -> StoredObject:
        with self._client.ask("GET", key, {"range": "bytes=0-0"}) as answer:
            size = _whole_size(answer)
            if size is None and answer.status in (200, 206, 416):
                raise self._no_ranges(key)
            if size is None:
                raise self._failed(key, answer)
            is_whole = answer.status == 200
            return described(key, shown(self.url, key), size, answer.headers, is_whole=is_whole)

    def _body(self, found: StoredObject, start: int, wanted: int) -> Iterator[bytes]:
        asked = {"range": f"bytes={start}-{start + wanted - 1}", **condition(found.version)}
        with self._client.ask("GET", found.key, asked) as answer:
            self._check(answer, found, start, wanted)
            yield from exactly(_pieces(answer), wanted, self.url, found.key)

    def _check(
        self, answer: BaseHTTPResponse, found: StoredObject, start: int, wanted: int
    ) -> None:
        """Raise unless this is the answer: of this version, and of the range asked for."""
        key, size = found.key, found.size_bytes
        if answer.status in (404, 410, 412, 416):
            raise changed(self.url, key)
        if answer.status not in (200, 206):
            raise self._failed(key, answer)
        if answer.status == 200 and wanted != size:
            raise self._no_ranges(key)
        ranged = content_range(answer.headers) if answer.status == 206 else (0, size, size)
        if ranged is None:
            raise wrong_range(self.url, key)
        now = described(key, shown(self.url, key), ranged[2], answer.headers, is_whole=False)
        if (now.version, now.size_bytes) != (found.version, size):
            raise changed(self.url, key)
        if ranged != (start, start + wanted, size):
            raise wrong_range(self.url, key)
        try:
            check_length(content_length(answer.headers), wanted, self.url, key)
        except StoreFailed:
            answer.close()  # else its connection would be used again
            raise

    def _failed(self, key: str, answer: BaseHTTPResponse) -> SourceUnavailable:
        if answer.status in (404, 410):
            return missing(self.url, key)
        return failure_for(self.url, answer.status, answer.headers, "read files")

    def _no_ranges(self, key: str) -> StoreFailed:
        message = f"{shown(self.url, key)}: the server does not answer range requests"
        hint = "serve the files from a server that does (RFC 9110, 14), or from a bucket"
        return StoreDenied("ranges_unsupported", message, hint)


def _whole_size(answer: BaseHTTPResponse) -> int | None:
    """Return the size of the object that an answer for its first byte is about."""
    if answer.status == 200:
        return content_length(answer.headers)
    ranged = content_range(answer.headers) if answer.status in (206, 416) else None
    is_ours = ranged is not None and (ranged[1] == 1 or ranged == (0, 0, 0))
    return ranged[2] if ranged is not None and is_ours else None


def _pieces(answer: BaseHTTPResponse) -> Iterator[bytes]:
    """Yield a body as it comes, however slowly; one that breaks off just ends."""
    try:
        while piece := answer.read1(_PIECE_BYTES, decode_content=False):
            yield piece
    except (IncompleteRead, ProtocolError):
        return
