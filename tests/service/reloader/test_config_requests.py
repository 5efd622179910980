"""What a watched project costs its bucket, counted where the requests pass, with real clients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dev.emulators import GcsEmulator, S3Emulator
from dev.emulators.fault_proxy import FaultProxy, fault_proxy
from offloader.service.config.revisions import Revisions
from offloader.service.reloader.config_source import BucketSource
from offloader.service.reloader.config_watch import ConfigSeen, ConfigWatch
from offloader.stores.location import Location
from offloader.stores.open import Stores
from tests.projects import usage_project
from tests.stores.conftest import bucket, gcs, s3

__all__ = ["bucket", "gcs", "s3"]

KEY = "of/project"
FILES = 5


@dataclass(slots=True)
class Watched:
    """A watch over a project in a bucket, and the requests that it made."""

    emulator: GcsEmulator | S3Emulator
    proxy: FaultProxy
    bucket: str
    watch: ConfigWatch
    told: list[ConfigSeen]

    def look(self) -> tuple[int, dict[str, int]]:
        """Look once; return how often it told something, and its requests by kind."""
        self.told.clear()
        self.proxy.forget()
        self.watch.look()
        return len(self.told), {str(kind): count for kind, count in self.proxy.seen.items()}


@pytest.fixture(params=["gs", "s3"])
def watched(
    request: pytest.FixtureRequest,
    gcs: GcsEmulator,
    s3: S3Emulator,
    bucket: str,
    tmp_path: Path,
) -> Iterator[Watched]:
    emulator = gcs if request.param == "gs" else s3
    emulator.make_bucket(bucket)
    emulator.put_folder(bucket, KEY, usage_project(tmp_path / "project", rows=10).root)
    place, told = Location(request.param, bucket, KEY), list[ConfigSeen]()
    with fault_proxy(emulator.url) as proxy:
        access = (
            replace(emulator.access, gcs_emulator_url=proxy.url)
            if request.param == "gs"
            else replace(emulator.access, s3_endpoint=proxy.url)
        )
        store = Stores(access).at(place)
        revisions = Revisions(tmp_path / "cache", place)
        source = BucketSource(place, lambda: store, revisions, settle_seconds=0.0)
        yield Watched(emulator, proxy, bucket, ConfigWatch(source, 1.0, told.append), told)


def test_nothing_new_is_one_request(watched: Watched) -> None:
    """One list, at every look; a change is a few more, and one read of each file."""
    assert watched.look() == (1, {"list": 4, "read": FILES})
    for _ in range(3):
        assert watched.look() == (0, {"list": 1})
    watched.emulator.put(watched.bucket, f"{KEY}/data/manifest.json", b"{}")
    assert watched.look() == (0, {"list": 1})
    watched.emulator.put(watched.bucket, f"{KEY}/keys/keys.yml", b"keys: []\n")
    assert watched.look() == (1, {"list": 4, "read": FILES})
    assert watched.look() == (0, {"list": 1})
