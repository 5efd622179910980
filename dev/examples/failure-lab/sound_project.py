"""A small project in which nothing is wrong, as files: what every defect starts from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

Project = dict[str, bytes]

MANIFEST, DATA = "snapshot/manifest.json", "snapshot/part-0.csv"
DATASET, ENDPOINT = "datasets/usage.yml", "endpoints/usage_by_day.yml"
TOKEN = "failure-lab-demo-token"

SOUND_TEXTS = {
    "offloader.yml": "version: 1\nkeys: keys/keys.yml\n",
    DATASET: """\
id: usage
description: API calls per account and day
schema:
  - {name: tenant_id, type: VARCHAR}
  - {name: account_id, type: VARCHAR}
  - {name: usage_date, type: DATE}
  - {name: api_calls, type: BIGINT}
  - {name: attributes, type: JSON}
tenant_column: tenant_id
manifest: snapshot/manifest.json
guards:
  min_rows: 3
  max_age_minutes: 1440
  unique: [tenant_id, account_id, usage_date]
  not_null: [account_id]
""",
    ENDPOINT: """\
name: usage_by_day
version: 1
dataset: usage
owner: growth
description: Calls of one account, day by day
tenant: {column: tenant_id}
params:
  - {name: account_id, type: string, required: true}
query:
  select:
    - {as: usage_date, column: usage_date}
    - {as: api_calls, column: api_calls}
  filters:
    - {column: account_id, op: eq, param: account_id}
  order_by:
    - {column: usage_date, dir: desc}
columns: [usage_date, api_calls]
""",
    "keys/keys.yml": f"""\
keys:
  - id: demo
    hash: {hashlib.sha256(TOKEN.encode()).hexdigest()}
    tenant: tenant_a
    endpoints: [usage_by_day]
    status: active
""",
}
ROWS = """\
tenant_id,account_id,usage_date,api_calls,attributes
tenant_a,acct_1,2026-05-30,120,"{""plan"":""pro""}"
tenant_a,acct_1,2026-05-31,98,
tenant_a,acct_2,2026-05-31,7,"{""plan"":""free""}"
tenant_b,acct_9,2026-05-31,41,[]
"""
COLUMNS = {
    "tenant_id": "VARCHAR",
    "account_id": "VARCHAR",
    "usage_date": "DATE",
    "api_calls": "BIGINT",
    "attributes": "JSON",
}


def sound_project() -> Project:
    """Return the files of a project in which nothing is wrong."""
    project = {path: text.encode() for path, text in SOUND_TEXTS.items()}
    publish(project, ROWS.encode())
    return project


def publish(
    project: Project, content: bytes, *, columns: Mapping[str, str] = COLUMNS, path: str = DATA
) -> None:
    """Put one data file and a true manifest of it into the project."""
    project.pop(DATA, None)
    project[path] = content
    row_count = max(content.count(b"\n") - 1, 0)
    entry = {
        "path": path.removeprefix("snapshot/"),
        "format": path.rpartition(".")[2],
        "row_count": row_count,
        "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    document = {
        "dataset_id": "usage",
        "snapshot_id": "2026-06-01T00:00:00Z_r0001",
        "created_at": "2026-06-01T00:05:00Z",
        "watermark": "2026-06-01T00:00:00Z",
        "schema": [{"name": name, "type": kind} for name, kind in columns.items()],
        "files": [entry],
        "partition_columns": [],
        "sort_columns": ["tenant_id"] if "tenant_id" in columns else [],
        "row_count": row_count,
        "size_bytes": len(content),
        "producer": "failure lab",
        "upstream_run_id": "run_1",
        "schema_version": 1,
        "data_quality_status": "passed",
        "compatibility_policy": "additive_only",
    }
    project[MANIFEST] = as_json(document)


def as_json(document: object) -> bytes:
    """Return a document as a manifest is written."""
    return json.dumps(document, indent=2).encode() + b"\n"
