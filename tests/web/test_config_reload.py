"""A changed project takes effect while the service runs: at once, or with the build it needs."""

from __future__ import annotations

import fcntl
import shutil
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest
import yaml

from tests.http_replies import Reply
from tests.projects import (
    UsageProject,
    key_document,
    publish,
    usage_dataset,
    usage_project,
    usage_rows,
    usage_table,
    write_yaml,
)
from tests.service_process import Running, running
from tests.web.metric_values import value
from tests.web.served import GROUPED, PLAIN

ROWS = 300
SYNC = {"config_sync_interval": "1", "refresh_interval": "1000"}
SECONDS = 60.0


@pytest.fixture
def project(tmp_path: Path) -> UsageProject:
    return usage_project(tmp_path / "project", rows=ROWS)


def change(path: Path, **fields: Any) -> None:
    """Change top-level fields of a project file."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    write_yaml(path, {**document, **fields})


def revoke(project: UsageProject, tenant: str) -> None:
    """Revoke the key of one tenant."""
    keys = [
        key_document(name, token, name) | ({"status": "revoked"} if name == tenant else {})
        for name, token in project.tokens.items()
    ]
    write_yaml(project.root / "keys" / "keys.yml", {"keys": keys})


def config(service: Running) -> Mapping[str, Any]:
    """Return what diagnostics say of the config, once the reloader has told of it."""
    found: dict[str, Any] = {}

    def is_told() -> bool:
        found.update(service.diagnostics()["config_sync"] or {})
        return bool(found)

    service.wait(is_told)
    return found


@dataclass(slots=True, eq=False)
class Gate:
    """Open, builds begin; closed, each waits: a collector seems to have the volume."""

    lock: IO[bytes]

    def open(self) -> None:
        """Let builds begin."""
        fcntl.flock(self.lock, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let no build begin."""
        fcntl.flock(self.lock, fcntl.LOCK_EX)


@contextmanager
def builds_held_up(cache: Path) -> Iterator[Gate]:
    """Give a gate that is closed, and open it at the end."""
    cache.mkdir(exist_ok=True)
    with (cache / "collect.lock").open("ab") as lock:
        gate = Gate(lock)
        gate.close()
        yield gate


def on_each_worker(service: Running, target: str, key: Mapping[str, str]) -> list[Reply]:
    """Ask every worker by itself."""
    replies = []
    for number in range(len(service.worker_pids())):
        with service.alone(number):
            replies.append(service.ask(target, key))
    return replies


def test_what_needs_no_build_takes_effect_on_every_worker_during_a_build(
    project: UsageProject, tmp_path: Path
) -> None:
    """A revoked key and a lower limit count while a build waits; the data stays."""
    key, other = project.authorization("tenant_0"), project.authorization("tenant_1")
    with running(project.root, tmp_path / "cache", **SYNC) as service:
        service.wait(service.is_complete)
        publish(project, usage_table(ROWS, factor=2), "s0002")
        with builds_held_up(tmp_path / "cache"):
            service.process.send_signal(signal.SIGHUP)
            revoke(project, "tenant_0")
            paging = {"default_limit": 2, "max_limit": 2}
            change(project.root / "endpoints" / "usage_rows.yml", pagination=paging)
            service.wait(lambda: service.ask(PLAIN, key).status == 401, SECONDS)
            service.wait(lambda: len(service.ask(PLAIN, other).document["data"]) == 2, SECONDS)
            assert service.events("config_applied")  # one, or two when a look came in between
            assert [r.status for r in on_each_worker(service, PLAIN, key)] == [401, 401]
            for reply in on_each_worker(service, PLAIN, other):
                assert len(reply.document["data"]) == 2
                assert reply.headers["offloader-snapshot-id"] == "s0001"
            assert config(service)["pending"] == []
        service.wait(lambda: snapshot_of(service) == "s0002", SECONDS)
        assert service.ask(PLAIN, key).status == 401


def snapshot_of(service: Running) -> str:
    """Return the id of the served snapshot."""
    return str(service.ask_admin("/status").document["datasets"]["usage"]["snapshot_id"])


def by_storage() -> dict[str, Any]:
    """Return version 2 of an endpoint: it needs another access path, and a param."""
    old = usage_rows()
    query = {**old["query"], "filters": [{"column": "storage_gb", "op": "gte", "param": "least"}]}
    params = [{"name": "least", "type": "number", "required": True}]
    return {**old, "version": 2, "params": params, "query": query}


def test_contract_and_segment_flip_together(project: UsageProject, tmp_path: Path) -> None:
    """A contract that needs a build waits for it; every answer is wholly old or wholly new."""
    key = project.authorization("tenant_0")
    endpoint = project.root / "endpoints" / "usage_rows.yml"
    with running(project.root, tmp_path / "cache", **SYNC) as service:
        service.wait(service.is_complete)
        stop, replies = threading.Event(), list[tuple[int, int]]()

        def ask() -> None:
            while not stop.is_set():
                before = service.ask(PLAIN, key)
                after = service.ask(f"{PLAIN}?least=1", key)
                replies.append((before.status, after.status))

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            with builds_held_up(tmp_path / "cache"):
                write_yaml(endpoint, by_storage())
                service.wait(lambda: config(service)["pending"] == ["usage"], SECONDS)
                assert service.ask(PLAIN, key).document["meta"]["version"] == 1
            service.wait(lambda: config(service)["pending"] == [], SECONDS)
        finally:
            stop.set()
            asking.join()
        assert set(replies) <= {(200, 422), (422, 200), (200, 200)}
        assert [pair for pair in replies if pair == (200, 200)] in ([], [(200, 200)])
        document = service.ask(f"{PLAIN}?least=1", key).document
        assert (document["meta"]["version"], document["meta"]["snapshot_id"]) == (2, "s0001")
        assert [line["snapshot"] for line in service.events("build_started")] == ["s0001", "s0001"]


def test_a_contract_that_waits_survives_a_restart(project: UsageProject, tmp_path: Path) -> None:
    """The old contract is served warm while the new one's build hangs."""
    key, cache = project.authorization("tenant_0"), tmp_path / "cache"
    with running(project.root, cache, **SYNC) as service:
        service.wait(service.is_complete)
    write_yaml(project.root / "endpoints" / "usage_rows.yml", by_storage())
    with (
        builds_held_up(cache) as gate,
        running(project.root, cache, **SYNC) as service,
    ):
        assert service.ask(PLAIN, key).document["meta"]["version"] == 1
        service.wait(lambda: config(service)["pending"] == ["usage"], SECONDS)
        gate.open()
        service.wait(lambda: service.ask(f"{PLAIN}?least=1", key).status == 200, SECONDS)


def test_auth_none_waits_for_the_last_tenant_scoped_endpoint(
    project: UsageProject, tmp_path: Path
) -> None:
    """Nobody without a key ever gets a tenant's rows, whatever the config says meanwhile."""
    key = project.authorization("tenant_0")
    with (
        builds_held_up(tmp_path / "cache") as gate,
        running(project.root, tmp_path / "cache", until="started", **SYNC) as service,
    ):
        gate.open()
        service.wait(service.is_ready)
        service.wait(service.is_complete)
        gate.close()
        dataset = usage_dataset()
        dataset.pop("tenant_column")
        write_yaml(project.root / "datasets" / "usage.yml", dataset)
        for path in (project.root / "endpoints").iterdir():
            document = yaml.safe_load(path.read_text(encoding="utf-8"))
            document.pop("tenant")
            write_yaml(path, document)
        write_yaml(project.root / "offloader.yml", {"version": 1, "auth": "none"})
        service.wait(lambda: config(service)["pending"] == ["usage"], SECONDS)
        assert [r.status for r in on_each_worker(service, GROUPED, {})] == [401, 401]
        assert service.ask(GROUPED, key).status == 200
        gate.open()
        service.wait(lambda: service.ask(GROUPED).status == 200, SECONDS)
        shown = service.ask(f"{GROUPED}?limit=100").document["data"]
        assert sum(row["api_calls_total"] for row in shown) == sum(range(ROWS))


def test_a_wrong_config_leaves_the_one_before(project: UsageProject, tmp_path: Path) -> None:
    """It is told with every problem, in log, metric and diagnostics; a repaired one is taken."""
    key = project.authorization("tenant_0")
    with running(project.root, tmp_path / "cache", **SYNC) as service:
        service.wait(service.is_complete)
        before = service.ask(PLAIN, key)
        path = project.root / "offloader.yml"
        good = path.read_text(encoding="utf-8")
        path.write_text("version: 2\nkeys: keys/keys.yml\n", encoding="utf-8")
        service.wait(lambda: not config(service)["ok"], SECONDS)
        assert [p["code"] for p in config(service)["problems"]] == ["version_unsupported"]
        assert value(service, "offloader_config_sync_enabled") == 1
        assert value(service, "offloader_config_sync_ok") == 0
        (line,) = service.events("config_refused")
        assert "[version_unsupported]" in line["problems"][0]
        assert service.ask_admin("/ready").status == 200
        assert service.ask(PLAIN, key).body == before.body
        path.write_text(good, encoding="utf-8")
        service.wait(lambda: config(service)["ok"], SECONDS)
        assert value(service, "offloader_config_sync_ok") == 1


def test_a_mounted_config_map_is_followed(project: UsageProject, tmp_path: Path) -> None:
    """Kubernetes swaps the symlink `..data`; no file that is named changes."""
    mount = tmp_path / "mount"
    for name in ("first", "second"):
        shutil.copytree(project.root, mount / f"..{name}")
    (mount / "..data").symlink_to("..first")
    for entry in project.root.iterdir():
        (mount / entry.name).symlink_to(f"..data/{entry.name}")
    key = project.authorization("tenant_0")
    with running(mount, tmp_path / "cache", **SYNC) as service:
        service.wait(service.is_complete)
        revoke(UsageProject(mount / "..second", project.tokens, mount), "tenant_0")
        (mount / "..new").symlink_to("..second")
        (mount / "..new").replace(mount / "..data")
        service.wait(lambda: service.ask(PLAIN, key).status == 401, SECONDS)


def test_without_an_interval_only_sighup_reads_the_config(
    project: UsageProject, tmp_path: Path
) -> None:
    """`OFFLOADER_CONFIG_SYNC_INTERVAL` unset is off; SIGHUP checks everything now."""
    key = project.authorization("tenant_0")
    with running(project.root, tmp_path / "cache", refresh_interval="1000") as service:
        service.wait(service.is_complete)
        assert config(service)["enabled"] is False
        revoke(project, "tenant_0")
        publish(project, usage_table(ROWS, factor=2), "s0002")
        assert service.ask(PLAIN, key).status == 200
        service.process.send_signal(signal.SIGHUP)
        service.wait(lambda: service.ask(PLAIN, key).status == 401, SECONDS)
        service.wait(lambda: snapshot_of(service) == "s0002", SECONDS)
