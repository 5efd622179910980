"""A bucket with something broken before it: what is served goes on, and all is mended by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from dev.emulators.fault_proxy import FaultProxy, fault_proxy
from dev.emulators.fault_rules import Fault
from tests.projects import usage_table
from tests.service_process import Running
from tests.stores.fault_rows import ROWS as FAULTS
from tests.web.bucket_site import FAMILIES, BucketSite, bucket_site, reached_at
from tests.web.metric_values import value
from tests.web.served import newest_first, rows_of
from tests.web.test_swap import Client, load

ROWS = 300
SECONDS = 90.0
MOST_REQUESTS = 150
BY_NAME = {row.name: row.fault for row in FAULTS}


@dataclass(slots=True, eq=False)
class World:
    """A replica whose bucket is behind a fault proxy, and what its callers got."""

    site: BucketSite
    proxy: FaultProxy
    service: Running
    number: int = 1
    clients: list[Client] = field(default_factory=list)

    def publish_next(self) -> str:
        """Publish the next snapshot behind the proxy's back."""
        self.number += 1
        self.site.publish(usage_table(ROWS, factor=self.number), self.snapshot_id)
        return self.snapshot_id

    @property
    def snapshot_id(self) -> str:
        """The newest snapshot that was published."""
        return f"s{self.number:04d}"

    def told(self) -> Mapping[str, Any]:
        """Return what diagnostics say of the dataset."""
        found: Mapping[str, Any] = self.service.diagnostics()["datasets"]["usage"]
        return found

    def last_code(self) -> str | None:
        """Return the code of the last failed attempt, as diagnostics tell it."""
        attempt = self.told()["last_attempt"]
        return str(attempt["code"]) if attempt and attempt["code"] else None

    def served_id(self) -> str:
        """Return the snapshot that callers get."""
        return str(self.told()["snapshot_id"])

    def wait(self, condition: Callable[[], object]) -> None:
        """Wait until something is so."""
        self.service.wait(condition, SECONDS)


@pytest.fixture(scope="module", params=FAMILIES)
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("world")
    patch = pytest.MonkeyPatch()
    with patch.context() as monkeypatch, bucket_site(request.param, folder, monkeypatch) as site:
        site.publish(usage_table(ROWS), "s0001")
        with fault_proxy(site.emulator.url) as proxy:
            environ = reached_at(site.emulator, proxy.url, monkeypatch)
            behind = replace(site, environ=environ)
            with behind.served(
                folder / "cache", workers="1", refresh_interval="0.2", config_sync_interval="1"
            ) as service:
                yield World(site, proxy, service)


@pytest.mark.parametrize(
    ("name", "fault", "code"),
    [
        ("connections refused", BY_NAME["connections refused"], "store_unreachable"),
        ("403", BY_NAME["401 or 403"], "store_denied"),
        ("files that hang", Fault(only=".parquet", hang=True), "source_slow"),
        ("a changed byte", Fault(only=".parquet", flip_at=1_000), "object_checksum_differs"),
    ],
)
def test_a_fault_is_told_and_mended(world: World, name: str, fault: Fault, code: str) -> None:
    """The old rows are served on, diagnostics say why, and after it the new ones come."""
    before = world.served_id()
    with load(world.service, world.site.project) as clients:
        world.proxy.forget()
        with world.proxy.during(fault):
            world.publish_next()
            world.wait(lambda: world.last_code() == code)
            assert world.served_id() == before
            assert world.service.is_ready()
        world.wait(lambda: world.served_id() == world.snapshot_id)
    assert world.proxy.total <= MOST_REQUESTS, world.proxy.seen
    _assert_right(clients)
    world.wait(lambda: value(world.service, "offloader_refresh_ok", dataset="usage") == 1)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("slow answers", Fault(latency_seconds=0.05, chunk_seconds=0.05)),
        ("reset in mid-body", Fault(only=".parquet", reset_after=2_000, times=3)),
        ("files cut short", Fault(only=".parquet", truncate_after=2_000)),
        ("wrong length", Fault(kinds=("read",), only=".parquet", length_offset=100)),
        ("503 now and then", Fault(status=503, times=3)),
        ("the clock hours off", Fault(clock_seconds=-6 * 3600.0)),
    ],
)
def test_a_fault_is_not_even_noticed(world: World, name: str, fault: Fault) -> None:
    """The new snapshot comes in spite of it."""
    world.proxy.forget()  # before: a look may meet the fault at once
    with load(world.service, world.site.project) as clients, world.proxy.during(fault):
        world.publish_next()
        world.wait(lambda: world.served_id() == world.snapshot_id)
        assert world.proxy.hit
    _assert_right(clients)
    assert world.last_code() is None


def test_an_older_answer_changes_nothing(world: World) -> None:
    """While old listings and descriptions are repeated, the old snapshot and config go on."""
    before = world.served_id()
    with world.proxy.during(Fault(stale=True)):
        world.publish_next()
        world.proxy.forget()
        world.wait(lambda: world.proxy.seen["stat"] >= 3)
        assert world.served_id() == before
    world.wait(lambda: world.served_id() == world.snapshot_id)


def test_config_goes_on_while_the_bucket_is_broken(world: World) -> None:
    """A config that cannot be synced is told, and the one that runs stays."""
    with world.proxy.during(Fault(kinds=("list",), status=503)):
        world.wait(lambda: value(world.service, "offloader_config_sync_ok") == 0)
        assert world.service.is_ready()
    world.wait(lambda: value(world.service, "offloader_config_sync_ok") == 1)


def _assert_right(clients: list[Client]) -> None:
    """Nothing failed, every answer is of one snapshot, and none goes backwards."""
    for client in clients:
        assert client.errors == []
        assert {reply.status for reply in client.replies} == {200}
        seen = [reply.headers["offloader-snapshot-id"] for reply in client.replies]
        assert seen == sorted(seen)
        for reply in {reply.body: reply for reply in client.replies}.values():
            factor = int(reply.headers["offloader-snapshot-id"].removeprefix("s"))
            assert reply.document["data"] == newest_first(rows_of(0, ROWS, factor))
