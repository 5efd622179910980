"""A store of each kind with a fault proxy before it, and what is done with it in the tests."""

from __future__ import annotations

import io
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pytest
import trustme
import xxhash

from dev.emulators import GcsEmulator, S3Emulator
from dev.emulators.fault_proxy import FaultProxy, fault_proxy
from offloader.errors import SourceUnavailable
from offloader.stores.access import Access
from offloader.stores.download import download, read_whole
from offloader.stores.location import Location
from offloader.stores.open import Stores
from offloader.stores.patient import Patience
from offloader.stores.store import ObjectExists, ObjectStore, StoredObject

FAMILIES = ("gs", "s3", "https")
BUCKET = "bucket"
KEY = "a/key"
CONTENT = Random(20260601).randbytes(3_000_000)
_XXH3_128 = xxhash.xxh3_128_hexdigest(CONTENT)
ATTEMPTS = 3
_PATIENCE = Patience(ATTEMPTS, first_seconds=0.01, most_seconds=0.05, asked_seconds=0.1)
_RANGE_BYTES = 1_750_000
_MODULES = {"gs": "gcs", "s3": "s3", "https": "https"}


@dataclass(frozen=True, slots=True)
class Broken:
    """A store behind a proxy; the emulator is asked directly. `found` was looked up before.

    An https:// store reads what lies in the emulator of S3; it can neither list nor write.
    """

    family: str
    emulator: GcsEmulator | S3Emulator
    proxy: FaultProxy
    store: ObjectStore
    found: StoredObject
    folder: Path

    @property
    def operations(self) -> Mapping[str, Callable[[], None]]:
        """What can be done: each compares what came of it, or raises what the store does."""
        reading = {
            "stat": self._stat,
            "read": self._read,
            "small": self._small,
            "download": self._download,
        }
        writing = {"list": self._list, "write": self._write}
        return reading if self.family == "https" else {**reading, **writing}

    def _stat(self) -> None:
        found = self.store.stat(self.found.key)
        assert replace(found, modified_at=0.0) == replace(self.found, modified_at=0.0)

    def _list(self) -> None:
        (listed,) = self.store.list("a/", most=5)
        assert (listed.key, listed.version) == (KEY, self.found.version)

    def _read(self) -> None:
        assert b"".join(self.store.read(self.found, 10, 2_500_000)) == CONTENT[10:2_500_010]

    def _small(self) -> None:
        assert read_whole(self.store, self.found.key, len(CONTENT))[1] == CONTENT

    def _download(self) -> None:
        target = self.folder / "target"
        # A plain web server states no checksum: then the manifest's has to do.
        wanted = None if self.found.checksum else ("xxh3_128", _XXH3_128)
        try:
            download(
                *(self.store, self.found, target),
                at_once=2,
                range_bytes=_RANGE_BYTES,
                wanted=wanted,
            )
            assert target.read_bytes() == CONTENT
            target.unlink()
        finally:
            assert list(self.folder.iterdir()) == []

    def _write(self) -> None:
        key = f"new/{time.monotonic_ns()}"
        try:
            self.store.write(key, io.BytesIO(CONTENT), len(CONTENT))
        except ObjectExists:  # the try before made it, its answer was lost
            pass
        except SourceUnavailable:
            if key in self.emulator.keys(BUCKET, key):
                assert self.emulator.get(BUCKET, key) == CONTENT
            raise
        assert self.emulator.get(BUCKET, key) == CONTENT


@contextmanager
def broken_store(
    family: str,
    emulator: GcsEmulator | S3Emulator,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    silent_seconds: float,
) -> Iterator[Broken]:
    """Put a proxy before an emulator until the block ends; its store bears so much silence."""
    emulator.put(BUCKET, KEY, CONTENT)
    tls = _trusted(folder.with_name("ca.pem"), monkeypatch) if family == "https" else None
    with fault_proxy(emulator.url, tls) as proxy:
        host = f"{proxy.address[0]}:{proxy.address[1]}"
        access = {
            "gs": Access(gcs_emulator_url=proxy.url),
            "s3": replace(emulator.access, s3_endpoint=proxy.url),
            "https": Access(https_hosts=(host,)),
        }[family]
        is_bucket = family != "https"
        place = Location("gs" if family == "gs" else "s3", BUCKET, "")
        place = place if is_bucket else Location("https", host, "")
        found = Stores(access, _PATIENCE).at(place).stat(KEY if is_bucket else f"{BUCKET}/{KEY}")
        for name in ("ASK_SECONDS", "WRITE_SECONDS"):
            module = f"offloader.stores.{_MODULES[family]}"
            monkeypatch.setattr(f"{module}.{name}", (10.0, silent_seconds), raising=False)
        store = Stores(access, _PATIENCE).at(place)
        yield Broken(family, emulator, proxy, store, found, folder)


def _trusted(path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Return the TLS of a server whose authority is trusted from now on."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(str(path))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    return tls
