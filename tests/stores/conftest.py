"""Emulators, one of each kind for all tests, and a bucket of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from dev.emulators import GcsEmulator, S3Emulator, gcs_emulator, s3_emulator

_NUMBERS = count()


@pytest.fixture(scope="session")
def gcs() -> Iterator[GcsEmulator]:
    """Run an emulator of GCS."""
    with gcs_emulator() as emulator:
        yield emulator


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Emulator]:
    """Run an emulator of S3."""
    with s3_emulator() as emulator:
        yield emulator


@pytest.fixture
def bucket() -> str:
    """Return a name that no other test's bucket has."""
    return f"bucket-{next(_NUMBERS)}"
