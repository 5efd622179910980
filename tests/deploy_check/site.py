"""One real service for the tests of this folder: fresh data, old data, and keys of all kinds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.deploy_check.gate import Gate, gate_for
from tests.projects import (
    USAGE_COLUMNS,
    key_document,
    publish,
    usage_by_account,
    usage_dataset,
    usage_project,
    usage_table,
    write_yaml,
)
from tests.service_process import Running, running
from tests.snapshots import publish_snapshot

ENDPOINT = "usage_by_account"
OLD_ENDPOINT = "old_usage"
KEY = "test-token-tenant_0"
REVOKED_KEY = "test-token-revoked"
MISTYPED_KEY = "test-token-mistyped"
ROWS = 100


@dataclass(frozen=True, slots=True)
class Site:
    """A running service, and the gate that passes it."""

    service: Running
    gate: Gate


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """Serve the project until the block ends."""
    root = write_site(folder / "project")
    with running(root, folder / "cache", workers="1") as service:
        urls = service.api_url, service.admin_url
        yield Site(service, gate_for(folder, *urls, KEY, ENDPOINT))


def write_site(root: Path) -> Path:
    """Write a project with a fresh and an old dataset, and with keys that are no good."""
    project = usage_project(root, rows=ROWS)
    publish(project, usage_table(ROWS), "s0002", watermark=now())
    names = (ENDPOINT, OLD_ENDPOINT)
    keys = [{**key_document(name, KEY, "tenant_0"), "endpoints": names} for name in ("good",)]
    keys.append({**key_document("revoked", REVOKED_KEY, "tenant_0"), "status": "revoked"})
    keys.append({**key_document("mistyped", f"{MISTYPED_KEY} ", "tenant_0")})
    documents = [{**key, "endpoints": list(key["endpoints"])} for key in keys]
    write_yaml(root / "keys" / "keys.yml", {"keys": documents})
    _add_old(root)
    return root


def now() -> str:
    """Return a watermark that is fresh."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _add_old(root: Path) -> None:
    dataset = {**usage_dataset(), "id": "old", "manifest": "old/manifest.json"}
    endpoint = {**usage_by_account(), "name": OLD_ENDPOINT, "dataset": "old"}
    write_yaml(root / "datasets" / "old.yml", dataset)
    write_yaml(root / "endpoints" / "old.yml", endpoint)
    publish_snapshot(
        root / "old" / "manifest.json",
        usage_table(ROWS),
        dataset_id="old",
        columns=USAGE_COLUMNS,
        snapshot_id="old_s0001",
    )
