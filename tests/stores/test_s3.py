"""Buckets of S3, against an emulator that speaks its protocol."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from typing import Any

import pytest

from dev.emulators import S3Emulator
from offloader.stores import s3, s3_upload
from offloader.stores.s3 import S3Store
from offloader.stores.s3_client import open_client
from offloader.stores.store import ObjectExists, ObjectStore
from tests.stores.contract import StoreContract
from tests.stores.subject import ODD_KEYS, code_of, keys, whole

CONTENT = bytes(number % 251 for number in range(12_000_000))


class Bucket:
    """A bucket whose objects AWS's own client makes."""

    can_list = can_write = True
    odd_keys = ODD_KEYS

    def __init__(self, emulator: S3Emulator, name: str) -> None:
        emulator.make_bucket(name)
        self.emulator, self.name = emulator, name
        self.store: ObjectStore = S3Store.open(name, emulator.access)

    def put(self, key: str, content: bytes) -> None:
        """Make or overwrite an object."""
        self.emulator.put(self.name, key, content)

    def delete(self, key: str) -> None:
        """Remove an object."""
        self.emulator.delete(self.name, key)

    def elsewhere(self) -> ObjectStore:
        """Return a bucket that does not exist."""
        return S3Store.open("no-such-bucket", self.emulator.access)


@pytest.fixture
def subject(s3: S3Emulator, bucket: str) -> Bucket:
    """Return an empty bucket."""
    return Bucket(s3, bucket)


class TestS3(StoreContract):
    """The contract."""


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have uploads go in parts of 5 MiB, the smallest there are."""
    monkeypatch.setattr(s3_upload, "SINGLE_BYTES", 1 << 20)
    monkeypatch.setattr(s3_upload, "PART_BYTES", 5 << 20)


def test_a_long_listing_comes_in_pages(subject: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are put together, and no more of them asked for than it takes."""
    monkeypatch.setattr(s3, "_PAGE", 2)
    for number in range(7):
        subject.put(f"k{number}", b"1")
    assert keys(subject.store, "k") == [f"k{number}" for number in range(7)]
    assert [found.key for found in subject.store.list("k", most=3)] == ["k0", "k1", "k2", "k3"]


def test_the_md5_that_an_etag_is_is_a_checksum(subject: Bucket) -> None:
    """An object in one part has its MD5 as ETag; a listing does not say that it is one."""
    subject.put("one", b"bytes")
    assert subject.store.stat("one").checksum == ("md5", hashlib.md5(b"bytes").hexdigest())
    assert subject.store.list("one", most=1)[0].checksum is None


@pytest.mark.parametrize(
    ("asked", "checksum"),
    [
        ({"ServerSideEncryption": "AES256"}, ("md5", "4b3a6218bb3e3a7303e8a171a60fcf92")),
        ({"ServerSideEncryption": "aws:kms"}, None),
        ({"ChecksumAlgorithm": "CRC32"}, ("md5", "4b3a6218bb3e3a7303e8a171a60fcf92")),
        ({"ChecksumAlgorithm": "SHA256"}, ("sha256", hashlib.sha256(b"bytes").hexdigest())),
    ],
)
def test_a_checksum_is_what_can_be_compared(
    subject: Bucket, asked: dict[str, Any], checksum: tuple[str, str] | None
) -> None:
    """A stated checksum goes first; the ETag of what a customer's key encrypts is no MD5."""
    subject.emulator.client.put_object(Bucket=subject.name, Key="one", Body=b"bytes", **asked)
    assert subject.store.stat("one").checksum == checksum


def test_a_large_object_goes_in_parts(subject: Bucket, in_parts: None) -> None:
    """Parts are put together in order; an ETag of parts is no checksum, but still a version."""
    subject.store.write("large", io.BytesIO(CONTENT), len(CONTENT))
    found = subject.store.stat("large")
    assert found.checksum is None
    assert found.version.endswith('-3"')
    assert whole(subject.store, found) == CONTENT


@pytest.mark.parametrize("parts", [False, True])
def test_a_taken_key_stays_and_nothing_is_left_of_the_try(
    subject: Bucket, request: pytest.FixtureRequest, parts: bool
) -> None:
    """A write over an object is refused, and the parts that were sent are given up."""
    if parts:
        request.getfixturevalue("in_parts")
    subject.put("large", b"first")
    assert _written(subject, len(CONTENT)) == "object_exists"
    assert subject.emulator.get(subject.name, "large") == b"first"
    uploads = subject.emulator.client.list_multipart_uploads(Bucket=subject.name)
    assert "Uploads" not in uploads


def _written(subject: Bucket, size: int) -> str:
    return code_of(ObjectExists, subject.store.write, "large", io.BytesIO(CONTENT[:size]), size)


@pytest.mark.parametrize("size", [5, len(CONTENT)])
def test_a_store_that_knows_no_conditions_is_looked_at_first(
    subject: Bucket, in_parts: None, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """Where If-None-Match is not implemented, a key that is taken is found by looking."""
    monkeypatch.setattr(s3, "open_client", _unconditional(open_client))
    subject.store.write("large", io.BytesIO(CONTENT[:size]), size)
    assert subject.emulator.get(subject.name, "large") == CONTENT[:size]
    assert _written(subject, size) == "object_exists"


def _unconditional(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return a client whose store answers 501 to conditions."""

    def refuse(request: Any, **_: Any) -> Any:
        if "If-None-Match" in request.headers:
            return _NotImplemented(request.url)
        return None

    def opened(*arguments: Any) -> Any:
        client = original(*arguments)
        client.meta.events.register("before-send.s3", refuse)
        return client

    return opened


class _NotImplemented:
    """An answer of 501, as botocore has it."""

    status_code = 501
    content = b"<Error><Code>NotImplemented</Code></Error>"

    def __init__(self, url: str) -> None:
        self.url = url
        self.headers: dict[str, str] = {}
