"""A project whose files are read at each request: one dataset in both modes, one only so."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.projects import (
    USAGE_COLUMNS,
    key_document,
    usage_by_account,
    usage_dataset,
    usage_rows,
    usage_table,
    write_project,
)
from tests.snapshots import FileFormat, publish_snapshot

ROWS = 3000
TENANTS = 3
TOKENS = {f"tenant_{number}": f"test-token-tenant_{number}" for number in range(TENANTS)}
SCANNED = {"usage_rows": "usage_rows_scanned", "usage_by_account": "usage_by_account_scanned"}
ARCHIVED = {"usage_rows": "archive_rows", "usage_by_account": "archive_by_account"}


def remote_project(root: Path, base: str = "data") -> None:
    """Write the project; manifests are `<base>/usage/manifest.json` and that of `archive`."""
    endpoints: dict[str, Any] = {}
    for made in (usage_rows(), usage_by_account()):
        endpoints[made["name"]] = made
        for name, dataset in ((SCANNED, "usage"), (ARCHIVED, "archive")):
            renamed = name[made["name"]]
            endpoints[renamed] = {
                **made,
                "name": renamed,
                "dataset": dataset,
                "serving_mode": "remote_scan",
            }
    datasets = {
        name: {**usage_dataset(), "id": name, "manifest": f"{base}/{name}/manifest.json"}
        for name in ("usage", "archive")
    }
    datasets["archive"]["guards"] = {"min_rows": 1, "not_null": ["api_calls"]}
    keys = [
        {**key_document(tenant, token, tenant), "endpoints": list(endpoints)}
        for tenant, token in TOKENS.items()
    ]
    write_project(root, datasets=datasets, endpoints=endpoints, keys={"keys": keys})


def publish_usage(
    folder: Path, dataset: str, snapshot_id: str = "s0001", *, factor: int = 1, **options: Any
) -> None:
    """Publish the usage rows as a snapshot of one of the datasets, in two files."""
    file_format: FileFormat = options.get("file_format", "parquet")
    publish_snapshot(
        folder / dataset / "manifest.json",
        usage_table(ROWS, tenants=TENANTS, factor=factor),
        dataset_id=dataset,
        columns=USAGE_COLUMNS,
        snapshot_id=snapshot_id,
        files=2,
        file_format=file_format,
    )


def authorization(tenant: str) -> Mapping[str, str]:
    """Return the request header of one tenant's key."""
    return {"Authorization": f"Bearer {TOKENS[tenant]}"}
