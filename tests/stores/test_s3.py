"""Buckets of S3, against an emulator that speaks its protocol."""

from __future__ import annotations

import pytest

from dev.emulators import S3Emulator
from offloader.stores.s3 import S3Store
from offloader.stores.store import ObjectStore
from tests.stores.contract import StoreContract
from tests.stores.subject import ODD_KEYS


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


class TestS3(StoreContract):
    @pytest.fixture
    def subject(self, s3: S3Emulator, bucket: str) -> Bucket:
        """Return an empty bucket."""
        return Bucket(s3, bucket)
