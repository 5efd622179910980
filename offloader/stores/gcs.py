"""Buckets of Google Cloud Storage, through Google's own client library.

Objects are looked up and listed by the client. They are read and written through its session, with
the requests it would make itself (JSON API, `alt=media` and `uploadType=multipart`): its own
download hands out 8 KiB at a time, and its upload holds whole pieces in memory.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any, BinaryIO
from urllib.parse import quote

import requests
from google.auth.transport.requests import AuthorizedSession
from google.cloud import storage
from urllib3.exceptions import ProtocolError

from offloader.stores.access import Access
from offloader.stores.answers import content_length, garbled
from offloader.stores.gcs_auth import open_session
from offloader.stores.gcs_errors import for_status, translated
from offloader.stores.gcs_upload import Upload
from offloader.stores.store import (
    READ_BYTES,
    StoredObject,
    changed,
    check_key,
    check_length,
    exactly,
    range_bytes,
    wrong_range,
)

ENDPOINT = "https://storage.googleapis.com"
# To connect and to send 256 KiB, and between two bytes that arrive.
ASK_SECONDS = (5.0, 20.0)
WRITE_SECONDS = (20.0, 60.0)
_PAGE = 1000
_FIELDS = "items(name,size,generation,timeCreated,crc32c),nextPageToken"


class GcsStore:
    """One bucket. Each call is made once; any thread may make it.

    Credentials are looked for by the first call, for that may take seconds and can fail.
    """

    def __init__(self, bucket: str, access: Access) -> None:
        self._name = bucket
        self._access = access
        self._endpoint = access.gcs_emulator_url or ENDPOINT
        self._lock = threading.Lock()
        self._opened: tuple[AuthorizedSession, Any] | None = None

    @classmethod
    def open(cls, bucket: str, access: Access) -> GcsStore:
        """Open a bucket, without asking anybody anything."""
        return cls(bucket, access)

    @property
    def url(self) -> str:
        """What errors and logs call it."""
        return f"gs://{self._name}"

    def stat(self, key: str) -> StoredObject:
        """Look one object up; needs `storage.objects.get`."""
        check_key(self.url, key)
        with translated(self.url, key, "stat"):
            blob = self._open()[1].bucket(self._name).blob(key)
            blob.reload(retry=None, timeout=ASK_SECONDS)
            return _found(blob)

    def list(self, prefix: str, *, most: int) -> list[StoredObject]:
        """Return the objects under a prefix, 1000 per request; needs `storage.objects.list`."""
        with translated(self.url, prefix, "list"):
            blobs = self._open()[1].list_blobs(
                self._name,
                prefix=prefix or None,
                max_results=most + 1,
                page_size=min(most + 1, _PAGE),
                fields=_FIELDS,
                retry=None,
                timeout=ASK_SECONDS,
            )
            return sorted((_found(blob) for blob in blobs), key=lambda found: found.key)

    def read(
        self, found: StoredObject, start: int = 0, length: int | None = None
    ) -> Iterator[bytes]:
        """Yield a range of one generation; needs `storage.objects.get`."""
        check_key(self.url, found.key)
        wanted = range_bytes(found, start, length)
        return self._body(found, start, wanted) if wanted else iter(())

    def write(self, key: str, content: BinaryIO, size_bytes: int) -> None:
        """Make an object, whose CRC32C the store compares; needs `storage.objects.create`."""
        check_key(self.url, key)
        upload = Upload(key, content, size_bytes)
        bucket = quote(self._name, safe="")
        asked = "uploadType=multipart&ifGenerationMatch=0&fields=crc32c"
        with translated(self.url, key, "write"):
            response = self._open()[0].request(  # type: ignore[no-untyped-call]
                "POST",
                f"{self._endpoint}/upload/storage/v1/b/{bucket}/o?{asked}",
                data=upload,
                headers={"content-type": upload.content_type},
                timeout=WRITE_SECONDS,
                allow_redirects=False,
            )
            if response.status_code != 200:
                raise for_status(self.url, key, "write", response.status_code, response.headers)
            if response.json()["crc32c"] != upload.crc32c:
                raise garbled(self.url)

    def _open(self) -> tuple[AuthorizedSession, Any]:
        """Return the session and the client; raises StoreDenied `credentials_missing`."""
        with self._lock:
            if self._opened is None:
                session = open_session(self._access)
                # The endpoint is always told: else the client reads it from the environment.
                client = storage.Client(
                    project=None,
                    credentials=session.credentials,
                    _http=session,
                    client_options={"api_endpoint": self._endpoint},
                )
                # For traces it would look the bucket up, in threads and with retries of its own.
                client._bucket_metadata_cache = None
                self._opened = session, client
            return self._opened

    def _body(self, found: StoredObject, start: int, wanted: int) -> Iterator[bytes]:
        with (
            translated(self.url, found.key, "read"),
            closing(self._get(found, start, wanted)) as got,
        ):
            self._check(got, found, start, wanted)
            yield from exactly(_chunks(got), wanted, self.url, found.key)

    def _get(self, found: StoredObject, start: int, wanted: int) -> requests.Response:
        bucket, key = quote(self._name, safe=""), quote(found.key, safe="")
        url = f"{self._endpoint}/download/storage/v1/b/{bucket}/o/{key}"
        # Without this encoding a store unpacks what was uploaded packed, and sizes do not hold.
        headers = {"accept-encoding": "gzip"}
        if wanted < found.size_bytes:
            headers["range"] = f"bytes={start}-{start + wanted - 1}"
        response: requests.Response = self._open()[0].request(  # type: ignore[no-untyped-call]
            "GET",
            f"{url}?alt=media&generation={quote(found.version, safe='')}",
            headers=headers,
            timeout=ASK_SECONDS,
            stream=True,
            allow_redirects=False,
        )
        return response

    def _check(
        self, response: requests.Response, found: StoredObject, start: int, wanted: int
    ) -> None:
        """Raise unless this is the answer: of this version, and of the range asked for."""
        status, headers = response.status_code, response.headers
        is_whole = wanted == found.size_bytes
        if status not in (200, 206):
            raise for_status(self.url, found.key, "read", status, headers)
        if headers.get("x-goog-generation", found.version) != found.version:
            raise changed(self.url, found.key)
        asked = f"bytes {start}-{start + wanted - 1}/{found.size_bytes}"
        if status != (200 if is_whole else 206) or headers.get("content-range", asked) != asked:
            raise wrong_range(self.url, found.key)
        check_length(content_length(headers), wanted, self.url, found.key)


def _chunks(response: requests.Response) -> Iterator[bytes]:
    """Yield a body as it is stored and as it arrives; one that breaks off just ends."""
    try:
        while chunk := response.raw.read1(READ_BYTES, decode_content=False):
            yield chunk
    except ProtocolError:
        return


def _found(blob: Any) -> StoredObject:
    crc32c = base64.b64decode(blob.crc32c, validate=True).hex() if blob.crc32c else None
    return StoredObject(
        key=str(blob.name),
        size_bytes=int(blob.size),
        version=str(int(blob.generation)),
        modified_at=blob.time_created.timestamp(),  # `updated` moves with labels and classes
        checksum=("crc32c", crc32c) if crc32c else None,
    )
