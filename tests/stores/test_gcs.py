"""Buckets of GCS, against an emulator that speaks its protocol."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from dev.emulators import GcsEmulator, gcs_emulator
from offloader.stores import gcs as gcs_store
from offloader.stores.gcs import GcsStore
from offloader.stores.store import ObjectChanged, ObjectStore, StoreFailed
from tests.stores.contract import StoreContract
from tests.stores.subject import ODD_KEYS, code_of, keys, whole


class Bucket:
    """A bucket whose objects Google's own client makes."""

    can_list = can_write = True
    odd_keys = ODD_KEYS

    def __init__(self, emulator: GcsEmulator, name: str) -> None:
        emulator.make_bucket(name)
        self.emulator, self.name = emulator, name
        self.store: ObjectStore = GcsStore.open(name, emulator.access)

    def put(self, key: str, content: bytes) -> None:
        """Make or overwrite an object."""
        self.emulator.put(self.name, key, content)

    def delete(self, key: str) -> None:
        """Remove an object."""
        self.emulator.delete(self.name, key)

    def elsewhere(self) -> ObjectStore:
        """Return a bucket that does not exist."""
        return GcsStore.open("no-such-bucket", self.emulator.access)


class TestGcs(StoreContract):
    @pytest.fixture
    def subject(self, gcs: GcsEmulator, bucket: str) -> Bucket:
        """Return an empty bucket."""
        return Bucket(gcs, bucket)


def test_a_listing_takes_as_many_pages_as_it_needs(
    gcs: GcsEmulator, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listing goes on from page to page, and asks for no more than it was asked for."""
    monkeypatch.setattr(gcs_store, "_PAGE", 3)
    subject = Bucket(gcs, bucket)
    for number in range(10):
        subject.put(f"k{number}", b"1")
    assert keys(subject.store) == [f"k{number}" for number in range(10)]
    assert [found.key for found in subject.store.list("", most=4)] == [f"k{n}" for n in range(5)]


def test_the_checksum_is_the_crc32c(gcs: GcsEmulator, bucket: str) -> None:
    """What is looked up and what is listed have the CRC32C, for composite objects have no MD5."""
    subject = Bucket(gcs, bucket)
    subject.put("one", b"123456789")
    assert subject.store.stat("one").checksum == ("crc32c", "e3069283")
    assert subject.store.list("", most=1)[0].checksum == ("crc32c", "e3069283")


def test_objects_packed_at_rest_are_read_as_they_lie(gcs: GcsEmulator, bucket: str) -> None:
    """An object with Content-Encoding: gzip is its packed bytes, whose size the store tells."""
    subject = Bucket(gcs, bucket)
    packed = gzip.compress(b"text" * 100)
    blob = gcs.client.bucket(bucket).blob("packed")
    blob.content_encoding = "gzip"
    blob.upload_from_string(packed)
    found = subject.store.stat("packed")
    assert found.size_bytes == len(packed)
    assert whole(subject.store, found) == packed


def test_an_emulator_may_keep_its_objects_on_disk(tmp_path: Path) -> None:
    """An emulator on a folder keeps to the same versions and ends with its block."""
    with gcs_emulator(tmp_path) as emulator:
        subject = Bucket(emulator, "bucket")
        subject.put("one", b"first")
        found = subject.store.stat("one")
        assert whole(subject.store, found) == b"first"
        subject.put("one", b"other")
        assert code_of(ObjectChanged, whole, subject.store, found) == "object_changed"
        assert emulator.keys("bucket") == ["one"]
        assert emulator.get("bucket", "one") == b"other"
    assert code_of(StoreFailed, subject.store.stat, "one") == "store_unreachable"
