"""Endpoints that read the snapshot's files from a bucket, through the real service."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dev.emulators import GcsEmulator, gcs_emulator
from dev.emulators.fault_proxy import FaultProxy, fault_proxy
from dev.emulators.fault_rules import Fault
from tests.http_replies import Reply
from tests.service_process import Running, running
from tests.web.metric_values import value
from tests.web.remote_project import (
    ARCHIVED,
    ROWS,
    SCANNED,
    TENANTS,
    authorization,
    publish_usage,
    remote_project,
)

BUCKET = "remote"
QUERIES = (
    "",
    "limit=3&offset=7",
    "account_id=acct_3",
    "account_id=nobody",
)
ROW_QUERIES = (
    "limit=500",
    "region=europe",
    "region=us&from_date=2026-01-20&limit=5",
    "columns=amount,region",
)


@dataclass(slots=True)
class Bucket:
    """The service, the bucket it reads, and what lies between."""

    service: Running
    emulator: GcsEmulator
    proxy: FaultProxy
    folder: Path

    def ask(self, name: str, query: str = "", tenant: int = 0, **headers: str) -> Reply:
        """Ask an endpoint as one tenant."""
        sent = {key.replace("_", "-"): text for key, text in headers.items()}
        key = authorization(f"tenant_{tenant}")
        return self.service.ask(f"/v1/endpoints/{name}?{query}", {**key, **sent})

    def publish(self, dataset: str, snapshot_id: str, factor: int = 1) -> None:
        """Publish a snapshot into the bucket: its files, then the manifest."""
        publish_usage(self.folder, dataset, snapshot_id, factor=factor)
        for path in sorted((self.folder / dataset / snapshot_id).iterdir()):
            self.emulator.put(BUCKET, f"data/{dataset}/{snapshot_id}/{path.name}", path)
        manifest = self.folder / dataset / "manifest.json"
        self.emulator.put(BUCKET, f"data/{dataset}/manifest.json", manifest)

    def publish_and_wait(self, dataset: str, snapshot_id: str, factor: int = 1) -> None:
        """Publish, and wait until it is served."""
        self.publish(dataset, snapshot_id, factor)

        def is_served() -> bool:
            shown = self.service.diagnostics()["datasets"][dataset]
            return bool(shown["snapshot_id"] == snapshot_id)

        self.service.wait(is_served)


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    """Run one worker with one scan at a time over a bucket, through a proxy that can break."""
    folder = tmp_path_factory.mktemp("remote")
    remote_project(folder / "project", f"gs://{BUCKET}/data")
    with (
        gcs_emulator() as emulator,
        fault_proxy(emulator.url) as proxy,
        pytest.MonkeyPatch.context() as patched,
    ):
        patched.setenv("STORAGE_EMULATOR_HOST", proxy.url)
        emulator.make_bucket(BUCKET)
        made = Bucket(None, emulator, proxy, folder / "data")  # type: ignore[arg-type]
        for dataset in ("usage", "archive"):
            made.publish(dataset, "s0001")
        settings = {"workers": "1", "scan_concurrency": "1", "gcs_auth": "none"}
        with running(folder / "project", folder / "cache", **settings) as service:
            made.service = service
            yield made


def told(reply: Reply) -> tuple[Any, Any]:
    """Return an answer's rows, and its meta without what names the endpoint."""
    assert reply.status == 200, reply
    meta = reply.document["meta"]
    mine = {"endpoint", "serving_mode", "next_cursor"}
    data = reply.body[: reply.body.rindex(b',"meta":')]
    return data, {name: shown for name, shown in meta.items() if name not in mine}


@pytest.mark.parametrize("names", [SCANNED, ARCHIVED], ids=["both modes", "remote only"])
@pytest.mark.parametrize("name", [*SCANNED])
def test_answers_are_those_of_shared_memory(
    bucket: Bucket, name: str, names: dict[str, str]
) -> None:
    """Byte for byte, in each format, but for the name and the serving mode."""
    for query in (*QUERIES, *(ROW_QUERIES if name == "usage_rows" else ())):
        for tenant in range(TENANTS):
            local, remote = (bucket.ask(one, query, tenant) for one in (name, names[name]))
            assert told(remote) == told(local)
            assert remote.document["meta"]["serving_mode"] == "remote_scan"
    for accept in ("text/csv", "application/x-ndjson"):
        local, remote = (bucket.ask(one, "limit=9", accept=accept) for one in (name, names[name]))
        assert (remote.status, remote.body) == (200, local.body)
    arrow = "application/vnd.apache.arrow.stream"  # it has the meta, too
    tables = [
        pa.ipc.open_stream(bucket.ask(one, "limit=9", accept=arrow).body).read_all()
        for one in (name, names[name])
    ]
    assert tables[0].equals(tables[1])


def test_what_has_not_changed_reads_nothing(bucket: Bucket) -> None:
    """A conditional request ends before the scan; a second scan reads no footer."""
    first = bucket.ask("archive_rows", "limit=2")
    bucket.proxy.forget()
    again = bucket.ask("archive_rows", "limit=2", if_none_match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert bucket.proxy.seen["read"] == 0
    assert bucket.ask("archive_rows", "limit=2").body == first.body
    assert bucket.proxy.seen["read"] <= 2


def test_cursors_go_on_in_the_files_of_their_snapshot(bucket: Bucket) -> None:
    """While it is held: the pages of a walk are those of one snapshot."""
    bucket.publish_and_wait("archive", "s0101")
    first = bucket.ask("archive_rows", "limit=400").document
    bucket.publish_and_wait("archive", "s0102", factor=7)
    walked, cursor = list(first["data"]), first["meta"]["next_cursor"]
    while cursor:
        page = bucket.ask("archive_rows", f"limit=400&cursor={cursor}").document
        assert page["meta"]["snapshot_id"] == "s0101"
        walked += page["data"]
        cursor = page["meta"]["next_cursor"]
    assert sorted(row["api_calls"] for row in walked) == [*range(0, ROWS, TENANTS)]
    second = bucket.ask("archive_rows", "limit=1").document["meta"]["next_cursor"]
    bucket.publish_and_wait("archive", "s0103")
    for key in bucket.emulator.keys(BUCKET, "data/archive/s0102/"):
        bucket.emulator.delete(BUCKET, key)
    gone = bucket.ask("archive_rows", f"limit=1&cursor={second}")
    assert (gone.status, gone.code) == (410, "cursor_gone")


def test_a_file_that_was_overwritten_is_not_served(bucket: Bucket) -> None:
    """503, counted and logged, until the next snapshot; what is in memory answers on."""
    bucket.publish_and_wait("usage", "s0201")
    (key, *_) = bucket.emulator.keys(BUCKET, "data/usage/s0201/")
    content = bucket.emulator.get(BUCKET, key)
    bucket.emulator.put(BUCKET, key, content[:-100] + bytes(92) + content[-8:])
    refused = bucket.ask("usage_rows_scanned")
    assert (refused.status, refused.code) == (503, "source_unavailable")
    assert refused.document["error"]["family"] == "busy"
    assert refused.headers["retry-after"] == "30"
    assert bucket.ask("usage_rows").status == 200
    assert bucket.ask("archive_rows").status == 200
    (line, *_) = bucket.service.events("scan_failed")
    assert (line["level"], line["endpoint"], line["reason"]) == (
        "warning", "usage_rows_scanned", "changed",
    )  # fmt: skip
    name = "offloader_scan_failures_total"
    failed = value(bucket.service, name, endpoint="usage_rows_scanned", reason="changed")
    assert failed == 1
    bucket.publish_and_wait("usage", "s0202")
    assert bucket.ask("usage_rows_scanned").status == 200


def test_a_store_that_hangs_holds_up_nothing_else(bucket: Bucket) -> None:
    """What is in memory answers at once; scans beyond the queue are shed; then all go on."""
    with ThreadPoolExecutor(20) as pool:
        with bucket.proxy.during(Fault(kinds=("read",), hang=True)):
            asked = [
                pool.submit(bucket.ask, "archive_rows", f"limit={number}&columns=amount")
                for number in range(1, 16)
            ]
            bucket.service.wait(lambda: sum(one.done() for one in asked) >= 10)
            shed = [one.result() for one in asked if one.done()]
            assert {(one.status, one.code) for one in shed} == {(503, "busy")}
            assert bucket.ask("usage_rows").status == 200
            assert bucket.ask("archive_rows", if_none_match="*").status == 304
        statuses = [one.result().status for one in asked]
    assert statuses.count(200) == 5
    assert bucket.ask("archive_rows").status == 200


def test_a_store_that_is_down(bucket: Bucket) -> None:
    """503 source_unavailable after a few tries; with the store the answers are back."""
    with bucket.proxy.during(Fault(kinds=("read",), status=503)):
        refused = bucket.ask("archive_by_account")
    assert (refused.status, refused.code) == (503, "source_unavailable")
    assert bucket.ask("archive_by_account").status == 200


def test_diagnostics_and_metrics_tell_of_it(bucket: Bucket) -> None:
    """Where rows come from, and what scans read."""
    shown = bucket.service.diagnostics()["datasets"]
    usage, archive = shown["usage"], shown["archive"]
    assert (usage["memory"], archive["memory"]) == ("shared", "remote")
    assert archive["serving_modes"] == dict.fromkeys(ARCHIVED.values(), "remote_scan")
    assert usage["serving_modes"]["usage_rows"] == "local_table"
    assert archive["remote_files"]["files"] == 2
    assert archive["remote_files"]["row_count"] == archive["row_count"] == ROWS
    before = value(bucket.service, "offloader_rows_scanned_total", endpoint="archive_by_account")
    bucket.ask("archive_by_account")
    after = value(bucket.service, "offloader_rows_scanned_total", endpoint="archive_by_account")
    assert after - before == ROWS
    read = value(bucket.service, "offloader_scan_bytes_read_total", endpoint="archive_by_account")
    assert read > 0
    assert not value(bucket.service, "offloader_scan_bytes_read_total", endpoint="usage_rows")
