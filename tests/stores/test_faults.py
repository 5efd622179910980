"""Stores with something broken in between: nothing wrong comes out, and what passes is mended."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pytest

from dev.emulators import GcsEmulator, S3Emulator, gcs_emulator, s3_emulator
from dev.emulators.fault_proxy import FaultProxy, fault_proxy
from offloader.errors import SourceUnavailable
from offloader.stores.download import download, read_whole
from offloader.stores.location import parse_url
from offloader.stores.open import Stores
from offloader.stores.patient import Patience
from offloader.stores.store import ObjectExists, ObjectStore, StoredObject
from tests.stores.fault_rows import HANG_SECONDS, ROWS, Row

ATTEMPTS = 3
PATIENCE = Patience(ATTEMPTS, first_seconds=0.01, most_seconds=0.05, asked_seconds=0.1)
# A write to gs:// is two requests, and a body that breaks again and again goes on each time.
MOST_REQUESTS = {"stat": 3, "list": 3, "read": 4, "small": 6, "download": 12, "write": 6}
MOST_SECONDS = 5.0
BUCKET = "bucket"
CONTENT = Random(20260601).randbytes(3_000_000)
RANGE_BYTES = 1_750_000


@dataclass(frozen=True, slots=True)
class Broken:
    """A store with a fault proxy before it; the emulator behind it is asked directly."""

    family: str
    emulator: GcsEmulator | S3Emulator
    proxy: FaultProxy
    store: ObjectStore
    found: StoredObject
    folder: Path

    def do(self, operation: str) -> None:
        """Do one thing and compare what came of it; raises what the store does."""
        operations: dict[str, Callable[[], None]] = {
            "stat": self._stat,
            "list": self._list,
            "read": self._read,
            "small": self._small,
            "download": self._download,
            "write": self._write,
        }
        operations[operation]()

    def _stat(self) -> None:
        assert _timeless(self.store.stat("a/key")) == _timeless(self.found)

    def _list(self) -> None:
        (listed,) = self.store.list("a/", most=5)
        assert (listed.key, listed.version) == ("a/key", self.found.version)

    def _read(self) -> None:
        assert b"".join(self.store.read(self.found, 10, 2_500_000)) == CONTENT[10:2_500_010]

    def _small(self) -> None:
        assert read_whole(self.store, "a/key", len(CONTENT))[1] == CONTENT

    def _download(self) -> None:
        target = self.folder / "target"
        try:
            download(self.store, self.found, target, at_once=2, range_bytes=RANGE_BYTES)
            assert target.read_bytes() == CONTENT
            target.unlink()
        finally:
            assert list(self.folder.iterdir()) == []

    def _write(self) -> None:
        key = f"new/{time.monotonic_ns()}"
        try:
            self.store.write(key, io.BytesIO(CONTENT), len(CONTENT))
            assert self.emulator.get(BUCKET, key) == CONTENT
        except ObjectExists:  # the try before made it, its answer was lost
            assert self.emulator.get(BUCKET, key) == CONTENT
        except SourceUnavailable:
            if key in self.emulator.keys(BUCKET, key):
                assert self.emulator.get(BUCKET, key) == CONTENT
            raise


def _timeless(found: StoredObject) -> StoredObject:
    return replace(found, modified_at=0.0)


@pytest.fixture(scope="module", params=["gs", "s3"])
def emulator(request: pytest.FixtureRequest) -> Iterator[GcsEmulator | S3Emulator]:
    with (gcs_emulator if request.param == "gs" else s3_emulator)() as running:
        running.make_bucket(BUCKET)
        yield running


@contextmanager
def _opened(emulator: GcsEmulator | S3Emulator, folder: Path) -> Iterator[Broken]:
    family = "gs" if isinstance(emulator, GcsEmulator) else "s3"
    emulator.put(BUCKET, "a/key", CONTENT)
    with fault_proxy(emulator.url) as proxy:
        access = (
            replace(emulator.access, gcs_emulator_url=proxy.url)
            if family == "gs"
            else replace(emulator.access, s3_endpoint=proxy.url)
        )
        store = Stores(access, PATIENCE).at(parse_url(f"{family}://{BUCKET}"))
        found = store.stat("a/key")
        yield Broken(family, emulator, proxy, store, found, folder)


@pytest.fixture
def broken(
    emulator: GcsEmulator | S3Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Broken]:
    library = "gcs" if isinstance(emulator, GcsEmulator) else "s3"
    for name in ("ASK_SECONDS", "WRITE_SECONDS"):
        monkeypatch.setattr(f"offloader.stores.{library}.{name}", (1.0, HANG_SECONDS))
    with _opened(emulator, tmp_path) as made:
        yield made


def _outcome(broken: Broken, operation: str) -> str | None:
    """Do one thing; return the code it ended with, and see that it ended soon."""
    broken.proxy.forget()
    began = time.monotonic()
    try:
        broken.do(operation)
        return None
    except SourceUnavailable as error:
        return error.code
    finally:
        assert broken.proxy.total <= MOST_REQUESTS[operation], broken.proxy.targets
        assert time.monotonic() < began + MOST_SECONDS


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name.replace(" ", "-"))
def test_a_fault_that_lasts_ends_in_its_code(broken: Broken, row: Row) -> None:
    """Each operation either gives the right bytes or ends with the code of the table, soon."""
    if row.fault.stale:
        _make_stale(broken)
    with broken.proxy.during(row.fault):
        outcomes = {operation: _outcome(broken, operation) for operation in row.operations}
    assert outcomes == {name: row.code(broken.family, name) for name in row.operations}


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.passing], ids=lambda row: row.name.replace(" ", "-")
)
def test_a_fault_that_passes_is_mended(broken: Broken, row: Row) -> None:
    """Each operation succeeds, by itself, when two requests of it were hit."""
    for operation in row.passing:
        with broken.proxy.during(replace(row.fault, times=ATTEMPTS - 1)):
            assert _outcome(broken, operation) is None, operation


def _make_stale(broken: Broken) -> None:
    """Have the proxy remember a list that is no longer true."""
    broken.store.list("a/", most=5)
    broken.emulator.put(BUCKET, "a/key", CONTENT[::-1])
