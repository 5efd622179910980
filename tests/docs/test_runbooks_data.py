"""The runbooks about data and callers, followed on one service that gets well again each time."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from offloader import __version__
from tests.docs.markdown import blocks_of
from tests.docs.runbook import Incident, incident, runbooks, sections
from tests.projects import UsageProject, publish, usage_project, usage_table, write_yaml
from tests.service_process import ADMIN_TOKEN, Running, running
from tests.snapshots import write_manifest

ROWS = 300
TOKEN_FINGERPRINT = hashlib.sha256(ADMIN_TOKEN.encode()).hexdigest()[:12]
TARGET = "/v1/endpoints/usage_by_account"


@dataclass(slots=True)
class Served:
    """A service and the producer of its one dataset."""

    service: Running
    project: UsageProject
    watermark: datetime
    number: int = 1

    @property
    def snapshot_id(self) -> str:
        """The id of the snapshot that was published last."""
        return f"s{self.number:04}"

    def publish(self, table: pa.Table | None = None, age_seconds: float | None = None) -> str:
        """Publish the next snapshot, a second newer than the one before; return its id."""
        self.number += 1
        self.watermark += timedelta(seconds=1)
        if age_seconds is not None:
            self.watermark = datetime.now(UTC) - timedelta(seconds=age_seconds)
        rows = usage_table(ROWS, factor=self.number) if table is None else table
        publish(self.project, rows, self.snapshot_id, watermark=text_of(self.watermark))
        return self.snapshot_id

    def serve_next(self) -> str:
        """Publish the next snapshot and wait until it is served; return its id."""
        snapshot_id = self.publish()
        self.wait_for(snapshot_id)
        return snapshot_id

    def wait_for(self, snapshot_id: str) -> None:
        """Wait until a snapshot is served by every worker."""
        self.service.wait(lambda: self.dataset()["snapshot_id"] == snapshot_id)
        self.service.wait(self.service.is_complete)

    def dataset(self) -> Any:
        """Return what `/diagnostics` says of the dataset."""
        return self.service.diagnostics()["datasets"]["usage"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One service; the data of its first snapshots is a day old."""
    folder = tmp_path_factory.mktemp("runbooks")
    project = usage_project(folder / "project", rows=ROWS)
    before = datetime.now(UTC) - timedelta(days=1)
    publish(project, usage_table(ROWS), "s0001", watermark=text_of(before))
    with running(project.root, folder / "cache", config_sync_interval="1") as service:
        service.wait(service.is_complete)  # else doctor misses a worker
        yield Served(service, project, before)


def known_of(served: Served) -> dict[str, str]:
    """Return what the page's commands need, known to somebody with one tenant's token."""
    return {
        "DATASET": "usage",
        "ENDPOINT": "usage_by_account",
        "TOKEN": served.project.tokens["tenant_0"],
        "TENANT": "tenant_0",
        "OFFLOADER_CONFIG": str(served.project.root),
        "OFFLOADER_CACHE_DIR": str(served.project.root.with_name("cache")),
    }


def follow(title: str, served: Served, folder: Path) -> AbstractContextManager[Incident]:
    """Follow a runbook on the shared service."""
    return incident(title, folder, known_of(served), served.service)


def test_the_first_look(served: Served, tmp_path: Path) -> None:
    """What is run in any incident tells whether it serves, and what each dataset does."""
    look = Incident(runbooks()["Stale"], served.service, known_of(served), tmp_path)
    doctor, ready, status, log = (block.text for block in blocks_of(sections()["First look"]))
    assert look.run(doctor).output.endswith("; look at: upstream data (1 warning)\n")
    assert look.run(ready).output == '{"ready": true, "reasons": []}\n'
    assert re.search(r"^usage +active +s\d{4} ", look.run(status).output, re.MULTILINE)
    assert look.run(log).code in (0, 1)


def test_source_unreachable(served: Served, tmp_path: Path) -> None:
    """The mount is gone, what was served goes on; it is back, and one command says so."""
    source = served.project.manifest_path.parent
    with follow("Source unreachable", served, tmp_path) as here:
        source.rename(source.with_name("away"))
        here.see()
        assert "[manifest_missing]" in here.do("offloader snapshot status")
        assert '"manifest_missing"' in here.do("grep")
        assert "data" not in here.do("ls -l").split()
        source.with_name("away").rename(source)
        assert here.do("offloader snapshot refresh").startswith("unchanged: ")
    # A look that began before may end after it.
    served.service.wait(lambda: served.dataset()["source_reachable"] is True)


def test_bad_manifest(served: Served, tmp_path: Path) -> None:
    """A wrong total is named; a repaired one is taken at once; an older one only when accepted."""
    with follow("Bad manifest", served, tmp_path) as here:
        manifest = json.loads(served.project.manifest_path.read_text())
        write_manifest(served.project.manifest_path, {**manifest, "row_count": 7})
        here.see()
        assert "[manifest_invalid]" in here.do("offloader snapshot status")
        assert "it says 7, the files add up to 300" in here.do("grep")
        repaired = served.publish()
        assert re.match(f"(done|unchanged): .*({repaired}|served already)", here.do("offloader"))
        served.watermark -= timedelta(minutes=1)
        older = served.publish()
        served.service.wait(lambda: served.dataset()["last_attempt"]["code"] == "watermark_older")
        assert here.do("offloader snapshot refresh").startswith(f"done: {older} ")
    served.watermark += timedelta(minutes=1)


def test_stale(served: Served, tmp_path: Path) -> None:
    """The pipeline is late, or somebody froze the dataset: the commands tell which, and mend it."""
    old = served.serve_next()
    with follow("Stale", served, tmp_path) as here:
        here.see()
        assert re.search(rf"^usage +\w+ +{old} +1 d, stale ", here.do("offloader"), re.MULTILINE)
        assert "the newest snapshot is served already" in here.do("offloader snapshot refresh")
        assert here.run("offloader snapshot pin usage").code == 0
        fresh = served.publish(age_seconds=60)
        told = here.run("offloader snapshot refresh usage").output  # then progress, when it is slow
        assert told.startswith("unchanged: the dataset stays on its pinned snapshot\n")
        assert fresh in here.do("offloader snapshot unpin")
    assert served.dataset()["freshness"]["stale"] is False


def test_latency(served: Served, tmp_path: Path) -> None:
    """An endpoint that reads a whole tenant shows, and so does a worker that died."""
    served.publish(pa.concat_tables([usage_table(ROWS, factor=9)] * 5000))
    served.wait_for(served.snapshot_id)
    lose_a_worker(served.service)
    with follow("Latency", served, tmp_path) as here:
        code, seconds, _ = here.do("curl").split()
        assert (code, float(seconds) < 5) == ("200", True)
        for _ in range(20):
            served.service.ask(TARGET, served.project.authorization("tenant_0"))
        here.see()
        assert 'offloader_workers{state="missing"} 0.0' in here.do("curl")
        assert 'offloader_rows_scanned_total{endpoint="usage_by_account"}' in here.do("curl")
        explained = here.do("offloader explain")
        assert explained.startswith(f"usage_by_account over usage, snapshot {served.snapshot_id}, ")
        assert "  read       500,000 rows, " in explained
        paths = [json.dumps(path["columns"]) for path in served.dataset()["access_paths"]]
        shown = here.do("offloader snapshot status").splitlines()
        assert shown == [f'"columns": {columns}, "key_columns"' for columns in paths] != []
    served.serve_next()


def test_auth(served: Served, tmp_path: Path) -> None:
    """A token that is refused leads to its key; a revoked key ends within the interval."""
    keys_path = served.project.root / "keys" / "keys.yml"
    keys = yaml.safe_load(keys_path.read_text())
    keys["keys"][0]["status"] = "revoked"
    with follow("Auth", served, tmp_path) as here:
        write_yaml(keys_path, keys)
        key = served.project.authorization("tenant_0")
        served.service.wait(lambda: served.service.ask(TARGET, key).status == 401)
        here.see()
        assert here.do("curl") == "401\n"
        found = here.do("grep")
        assert "id: key_tenant_0" in found
        assert "status: revoked" in found
        keys["keys"][0]["status"] = "active"
        write_yaml(keys_path, keys)
        assert here.do("offloader validate").endswith(": valid (1 dataset, 2 endpoints, 3 keys)\n")
        served.service.wait(lambda: served.service.ask(TARGET, key).status == 200)
        assert '"config_applied"' in here.do("grep")
    served.service.process.send_signal(signal.SIGHUP)
    served.service.wait(lambda: served.service.events("checking_everything"))


def test_rollback_to_previous_snapshot(served: Served, tmp_path: Path) -> None:
    """One command goes back, callers get it, it stays, and what everybody did is in the log."""
    good, bad = served.snapshot_id, served.serve_next()
    with follow("Rollback to previous snapshot", served, tmp_path) as here:
        here.names = {"s0001": good}
        here.see()
        assert f" {bad} " in here.do("offloader snapshot status")
        assert f"({bad} -> {good}" in here.do("offloader snapshot rollback")
        assert here.do("curl").split() == ["Offloader-Snapshot-Id:", good]
        assert here.do("offloader snapshot pin").startswith(f"done: pinned to {good}\n")
        worse = served.publish()
        assert here.run("offloader snapshot refresh usage").output.startswith("unchanged: ")
        assert f"({good} -> {worse}" in here.do("offloader snapshot unpin")
        *_, last = (json.loads(line) for line in here.do("grep").splitlines())
        assert (last["action"], last["from"], last["to"]) == ("unpin", good, worse)
        assert (last["by"], last["result"]) == (TOKEN_FINGERPRINT, "done")
        here.run("offloader snapshot rollback usage")
        assert f"({good} -> {worse}" in here.do("offloader snapshot refresh")


def test_rollback_to_previous_image(served: Served, tmp_path: Path) -> None:
    """The version is told, the pins are shown, and one that is gone is set again."""
    lose_a_worker(served.service)
    newest = served.serve_next()
    with follow("Rollback to previous image", served, tmp_path) as here:
        here.names = {"0.1.0": __version__}
        here.see()
        assert here.do("curl") == f'"version": "{__version__}"\n'
        assert f" {newest} " in here.do("offloader snapshot status")
        here.do("export CONTAINER=")
        here.leave_out("docker inspect")  # tests/docs/test_runbooks_image.py runs it
        assert here.do("curl") == '{"ready": true, "reasons": []}\n'
        assert here.do("offloader snapshot pin").startswith(f"done: pinned to {newest}\n")
    assert served.dataset()["pinned"] == {"snapshot_id": newest, "by": "operator"}
    assert here.run("offloader snapshot unpin usage").code == 0


def text_of(moment: datetime) -> str:
    """Return a time as a manifest has it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def lose_a_worker(service: Running) -> None:
    """Kill a worker, unless one died before, and wait until it was brought back."""
    if not service.events("process_died"):
        os.kill(service.worker_pids()[0], signal.SIGKILL)
        service.wait(lambda: service.events("process_died"))
    service.wait(service.is_complete)
