"""Emulators of object stores, started when the first test asks for one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dev.emulators.gcs import GcsEmulator, gcs_emulator
from dev.emulators.s3 import S3Emulator, s3_emulator
from tests.sources.remote_snapshots import BUCKET


@pytest.fixture(scope="session")
def gcs() -> Iterator[GcsEmulator]:
    """An emulator of GCS with the bucket `snapshots`."""
    with gcs_emulator() as emulator:
        emulator.make_bucket(BUCKET)
        yield emulator


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Emulator]:
    """An emulator of S3 with the bucket `snapshots`."""
    with s3_emulator() as emulator:
        emulator.make_bucket(BUCKET)
        yield emulator
