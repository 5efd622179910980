"""Stores with something broken in between: nothing wrong comes out, and what passes is mended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dev.emulators import GcsEmulator, S3Emulator, gcs_emulator, s3_emulator
from dev.emulators.fault_rules import Fault
from offloader.errors import SourceUnavailable
from tests.stores.broken import ATTEMPTS, BUCKET, CONTENT, FAMILIES, KEY, Broken, broken_store
from tests.stores.fault_rows import ROWS, Row

# A write to gs:// may be two requests, and a body that breaks again and again goes on each time.
MOST_REQUESTS = {"stat": 3, "list": 3, "read": 4, "small": 6, "download": 12, "write": 6}
MOST_SECONDS = 30.0


@pytest.fixture(scope="module")
def emulators() -> Iterator[dict[str, GcsEmulator | S3Emulator]]:
    with gcs_emulator() as gcs, s3_emulator() as s3:
        gcs.make_bucket(BUCKET)
        s3.make_bucket(BUCKET)
        s3.client.put_bucket_acl(Bucket=BUCKET, ACL="public-read")  # as https:// asks, unsigned
        yield {"gs": gcs, "s3": s3, "https": s3}


@pytest.fixture(params=FAMILIES)
def broken(
    request: pytest.FixtureRequest,
    emulators: dict[str, GcsEmulator | S3Emulator],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Broken]:
    folder = tmp_path / "downloads"
    folder.mkdir()
    row = getattr(request.node, "callspec").params.get("row")  # noqa: B009
    # Of one that passes the last try is answered, and may take long on a busy machine.
    silent = 2.0 if request.function is test_a_fault_that_passes_is_mended else 0.3
    seconds = silent if row is not None and row.fault.hang else 10.0
    emulator = emulators[request.param]
    with broken_store(request.param, emulator, folder, monkeypatch, silent_seconds=seconds) as made:
        yield made


def name_of(row: Row) -> str:
    """Return how a row is called in a test's name."""
    return row.name.replace(" ", "-")


def outcome(broken: Broken, operation: str) -> str | None:
    """Do one thing; return the code it ended with, and see that it ended soon."""
    broken.proxy.forget()
    began = time.monotonic()
    try:
        broken.operations[operation]()
        return None
    except SourceUnavailable as error:
        return error.code
    finally:
        assert broken.proxy.total <= MOST_REQUESTS[operation], broken.proxy.targets
        assert time.monotonic() < began + MOST_SECONDS


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_a_fault_that_lasts_ends_in_its_code(broken: Broken, row: Row) -> None:
    """Each operation either gives the right bytes or ends with the code of the table, soon."""
    if row.fault.stale:
        _make_stale(broken)
    tried = [name for name in row.operations if name in broken.operations]
    with broken.proxy.during(row.fault):
        outcomes = {operation: outcome(broken, operation) for operation in tried}
    assert outcomes == {name: row.code(broken.family, name) for name in tried}


@pytest.mark.parametrize("row", [row for row in ROWS if row.passing], ids=name_of)
def test_a_fault_that_passes_is_mended(broken: Broken, row: Row) -> None:
    """Each operation succeeds, by itself, when two requests of it were hit."""
    for operation in row.passing:
        if operation in broken.operations:
            with broken.proxy.during(replace(row.fault, times=ATTEMPTS - 1)):
                assert outcome(broken, operation) is None, operation


@pytest.mark.parametrize("broken", ["gs", "s3"], indirect=True)
def test_a_small_object_is_verified_as_well(broken: Broken) -> None:
    """A manifest with one changed byte is not taken for what was published."""
    with broken.proxy.during(Fault(kinds=("read",), flip_at=1_000)):
        assert outcome(broken, "small") == "object_checksum_differs"
    assert outcome(broken, "small") is None


def _make_stale(broken: Broken) -> None:
    """Have the proxy remember a list that is no longer true."""
    if "list" in broken.operations:
        broken.store.list("a/", most=5)
    broken.emulator.put(BUCKET, KEY, CONTENT[::-1])
