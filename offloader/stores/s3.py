"""Buckets of S3 and of stores that speak its protocol, through AWS's own library, botocore."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, BinaryIO

from botocore.exceptions import IncompleteReadError, ResponseStreamingError

from offloader.stores.access import Access
from offloader.stores.digests import best_checksum
from offloader.stores.s3_client import open_client
from offloader.stores.s3_errors import translated
from offloader.stores.s3_upload import Upload, check_size
from offloader.stores.store import (
    StoredObject,
    changed,
    check_key,
    check_length,
    exactly,
    range_bytes,
    wrong_range,
)

# To connect and to send a piece, and between two bytes that arrive.
ASK_SECONDS = (5.0, 20.0)
WRITE_SECONDS = (20.0, 60.0)
_PAGE = 1000
# What is lost of a body that breaks is at most this much; larger reads are no faster.
_PIECE_BYTES = 32 * 1024
_MD5 = re.compile(r'"?([0-9a-f]{32})"?')


class S3Store:
    """One bucket. Each call is made once; any thread may make it."""

    def __init__(self, bucket: str, access: Access) -> None:
        self._bucket = bucket
        self._access = access
        self._clients: dict[tuple[float, float], Any] = {}
        self._lock = threading.Lock()

    @classmethod
    def open(cls, bucket: str, access: Access) -> S3Store:
        """Open the bucket; who asks it first finds the credentials, for that may take a while."""
        return cls(bucket, access)

    @property
    def url(self) -> str:
        """What errors and logs call it."""
        return f"s3://{self._bucket}"

    def stat(self, key: str) -> StoredObject:
        """Look one object up; needs `s3:GetObject`, and `s3:ListBucket` to tell what is missing."""
        check_key(self.url, key)
        with translated(self.url, key, "stat"):
            client = self._client(ASK_SECONDS)
            head = client.head_object(Bucket=self._bucket, Key=key, ChecksumMode="ENABLED")
            return _found(key, int(head["ContentLength"]), head, _checksum(self._bucket, head))

    def list(self, prefix: str, *, most: int) -> list[StoredObject]:
        """Return the objects under a prefix, 1000 per request; needs `s3:ListBucket`.

        They have no checksum: a listing does not tell whether an ETag is one.
        """
        found: list[StoredObject] = []
        asked: dict[str, Any] = {"Bucket": self._bucket, "Prefix": prefix}
        with translated(self.url, prefix, "list"):
            while True:
                page = self._client(ASK_SECONDS).list_objects_v2(
                    **asked, MaxKeys=min(_PAGE, most + 1 - len(found))
                )
                entries = page.get("Contents", ())
                found += [_found(one["Key"], int(one["Size"]), one, None) for one in entries]
                token = page.get("NextContinuationToken")
                if len(found) > most or not page.get("IsTruncated") or not token:
                    return sorted(found[: most + 1], key=lambda one: one.key)
                asked["ContinuationToken"] = token

    def read(
        self, found: StoredObject, start: int = 0, length: int | None = None
    ) -> Iterator[bytes]:
        """Yield a range of the object whose ETag was looked up; needs `s3:GetObject`."""
        check_key(self.url, found.key)
        wanted = range_bytes(found, start, length)
        return self._body(found, start, wanted) if wanted else iter(())

    def write(self, key: str, content: BinaryIO, size_bytes: int) -> None:
        """Make an object, whose SHA-256 the store compares; needs `s3:PutObject`.

        Above 4 GiB it goes in parts, which `s3:AbortMultipartUpload` clears away after a failure.
        """
        check_key(self.url, key)
        check_size(content, size_bytes)
        with translated(self.url, key, "write"):
            client = self._client(WRITE_SECONDS)
            Upload(client, self._bucket, key, content, size_bytes).run()

    def _client(self, seconds: tuple[float, float]) -> Any:
        with self._lock:
            if seconds not in self._clients:
                self._clients[seconds] = open_client(self._access, seconds)
            return self._clients[seconds]

    def _body(self, found: StoredObject, start: int, wanted: int) -> Iterator[bytes]:
        with translated(self.url, found.key, "read"):
            answer = self._client(ASK_SECONDS).get_object(
                Bucket=self._bucket,
                Key=found.key,
                IfMatch=found.version,
                Range=f"bytes={start}-{start + wanted - 1}",
            )
            with closing(answer["Body"]) as body:
                self._check(answer, found, start, wanted)
                yield from exactly(_pieces(body), wanted, self.url, found.key)

    def _check(
        self, answer: Mapping[str, Any], found: StoredObject, start: int, wanted: int
    ) -> None:
        """Raise unless this is the answer: of this version, and of the range asked for."""
        if answer["ETag"] != found.version:
            raise changed(self.url, found.key)
        asked = f"bytes {start}-{start + wanted - 1}/{found.size_bytes}"
        said = answer.get("ContentRange")
        if said != asked and (said is not None or wanted != found.size_bytes):
            raise wrong_range(self.url, found.key)
        check_length(answer.get("ContentLength"), wanted, self.url, found.key)


def _pieces(body: Any) -> Iterator[bytes]:
    """Yield a body as it is stored; one that breaks off just ends."""
    try:
        while piece := body.read(_PIECE_BYTES):
            yield piece
    except (IncompleteReadError, ResponseStreamingError):
        return


def _found(
    key: str, size_bytes: int, said: Mapping[str, Any], checksum: tuple[str, str] | None
) -> StoredObject:
    return StoredObject(
        key=key,
        size_bytes=size_bytes,
        version=str(said["ETag"]),
        modified_at=said["LastModified"].timestamp(),
        checksum=checksum,
    )


def _checksum(bucket: str, head: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return what can be compared: a checksum of the whole object, else an ETag that is its MD5.

    It is in one part and without a customer's encryption, but not in a directory bucket.
    """
    if head.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT":
        said = {"crc32c": head.get("ChecksumCRC32C", ""), "sha256": head.get("ChecksumSHA256", "")}
        if (checksum := best_checksum(said)) is not None:
            return checksum
    is_encrypted = head.get("ServerSideEncryption", "AES256") != "AES256"
    is_customers = "SSECustomerAlgorithm" in head or is_encrypted
    match = _MD5.fullmatch(head["ETag"])
    return ("md5", match[1]) if match and not is_customers and "--x-s3" not in bucket else None
