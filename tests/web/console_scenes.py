"""Documents of `/diagnostics` made by hand: what the console is to show in a test."""

from __future__ import annotations

from typing import Any

from offloader.service.worker.traffic import BOUNDS_SECONDS, Traffic

NOW = 1_780_272_600.0  # 2026-06-01T00:10:00Z
RUNBOOKS = "docs/operations/runbooks.md"

Document = dict[str, Any]


def dataset(**fields: Any) -> Document:
    """Return a dataset that is well: s0002 serves 1,000 rows, 10 minutes old of 120."""
    snapshot_id = fields.get("snapshot_id", "2026-06-01T00:00:00Z_r0002")
    return {
        "state": "active",
        "required": True,
        "snapshot_id": snapshot_id,
        "row_count": 1_000_000 if snapshot_id else None,
        "freshness": freshness(600) if snapshot_id else None,
        "max_staleness_minutes": 120,
        "size_bytes": 48_000_000 if snapshot_id else None,
        "memory": "shared" if snapshot_id else None,
        "active": {"snapshot_id": snapshot_id, "created_at": "2026-06-01T00:05:00Z"},
        "previous": {"snapshot_id": "2026-05-31T22:00:00Z_r0001"} if snapshot_id else None,
        "pinned": None,
        "rolled_back": [],
        "quarantined_snapshots": [],
        "quarantined_parts": 0,
        "last_attempt": attempt(snapshot_id=snapshot_id or ""),
        "source_reachable": True,
        "source_unreachable_since": None,
        "looked_at": "2026-06-01T00:09:48Z",
        "refreshes": {"swapped": 2, "unchanged": 40},
        "contract_pending": False,
        "access_paths": [{"columns": ["tenant_id", "account_id"]}, {"columns": ["tenant_id"]}],
        "dropped_access_paths": [],
        "row_texts": [{"bytes": 20_000_000}],
        "part_bytes": {"columns": 20_000_000, "access_paths": 8_000_000, "row_texts": 20_000_000},
        "serving_modes": {"usage_rows": "local_table"},
        "remote_files": None,
        **fields,
    }


def freshness(age_seconds: int, *, is_stale: bool = False) -> Document:
    """Return the freshness of a snapshot of this age."""
    return {"watermark": "2026-06-01T00:00:00Z", "age_seconds": age_seconds, "stale": is_stale}


def attempt(code: str = "", message: str = "", hint: str = "", **fields: Any) -> Document:
    """Return a last attempt, two minutes ago."""
    return {
        "snapshot_id": "2026-06-01T00:06:00Z_r0003",
        "code": code,
        "message": message,
        "hint": hint,
        "is_final": bool(code),
        "at": "2026-06-01T00:08:00Z",
        "duration_seconds": 1.4,
        "problems": [],
        **fields,
    }


def refused(code: str, message: str, hint: str, **fields: Any) -> Document:
    """Return a dataset whose newest snapshot was refused; the one before is served on."""
    tried = attempt(code, message, hint)
    return dataset(state="refresh_failing", last_attempt=tried, **fields)


def item(area: str, code: str, dataset: str | None = None, **fields: Any) -> Document:
    """Return one item of the verdict."""
    return {
        "area": area,
        "severity": "failing",
        "dataset": dataset,
        "code": code,
        "message": "",
        "hint": "",
        "runbook": f"{RUNBOOKS}#bad-manifest",
        **fields,
    }


def change(kind: str = "swapped", **fields: Any) -> Document:
    """Return one event of the timeline."""
    return {
        "at": "2026-06-01T00:08:00Z",
        "kind": kind,
        "dataset": "usage",
        "from": "2026-05-31T22:00:00Z_r0001",
        "to": "2026-06-01T00:00:00Z_r0002",
        "outcome": "done",
        "by": "source",
        "code": "",
        "message": "",
        "seconds": 0.0097,
        "generation": 3,
        **fields,
    }


def document(datasets: dict[str, Document] | None = None, **fields: Any) -> Document:
    """Return the diagnostics of an instance that serves these datasets, by default one, well."""
    return {
        "time": "2026-06-01T00:10:00Z",
        "service": "offloader",
        "version": "0.1.0",
        "ready": True,
        "reasons": [],
        "verdict": {"area": "none", "summary": "Nothing is wrong.", "items": []},
        "generation": 3,
        "config_revision": "672bc8dd60189f0e672bc8dd60189f0e",
        "datasets": {"usage": dataset()} if datasets is None else datasets,
        "instance": 0,
        "uptime_seconds": 93_784.0,
        "last_swap_seconds": 0.0097,
        "building": [],
        "build": [],
        "last_swaps": [change()],
        "config_sync": {
            "enabled": True,
            "ok": True,
            "problems": [],
            "pending": [],
            "error": None,
            "checked_at": "2026-06-01T00:09:55Z",
            "failing_since": None,
            "location": "gs://customer-config/offloader",
            "fetched_at": "2026-05-30T08:00:00Z",
        },
        "processes": {
            "main": {"pid": 101, "uptime_seconds": 93_784.0, "private_bytes": 46_000_000},
            "workers": [worker(102), worker(103)],
            "workers_attached": 2,
            "worker_restarts": 1,
            "reloader": {"pid": 104, "uptime_seconds": 93_780.0, "private_bytes": 24_000_000},
            "reloader_restarts": 0,
        },
        "memory": {
            "shared_bytes": 3 << 30,
            "mapped_bytes": 0,
            "limit_bytes": 4 << 30,
            "container_limit_bytes": 6 << 30,
            "container_available_bytes": 2 << 30,
        },
        "disk": {
            "cache_free_bytes": 30 << 30,
            "cache_total_bytes": 100 << 30,
            "cache_bytes": {"segments": 9 << 30, "downloads": 0},
            "state_saved": True,
        },
        "segment_store": None,
        **fields,
    }


def worker(pid: int, **fields: Any) -> Document:
    """Return a worker that serves."""
    told = {"pid": pid, "uptime_seconds": 93_780.0, "private_bytes": 43_000_000}
    return {**told, "is_attached": True, "in_flight": 0, **fields}


def traffic(endpoint: str = "usage_rows", requests: int = 1000, **fields: Any) -> Traffic:
    """Return an endpoint's counts: each request took from 0.5 to 1 ms and read ten rows."""
    buckets = [0] * len(BOUNDS_SECONDS)
    buckets[2] = requests
    counted: dict[str, Any] = {"refused": 0, "failed": 0, "seconds": requests * 0.0008}
    counted |= {"rows_scanned": requests * 10, "buckets": tuple(buckets), **fields}
    return Traffic(endpoint, requests, **counted)


def failing() -> Document:
    """Return an instance with a problem of each area, and secrets where errors may hold them."""
    dropped = ("row_count_dropped", "70 % of the rows are gone, the guard allows 20 %")
    lost = ("store_unreachable", "s3://customer-bucket/secret-path does not answer")
    datasets = {
        "usage": dataset(),
        "accounts": dataset(pinned={"snapshot_id": "r0002", "by": "operator"}),
        "billing": refused(*dropped, "publish a repaired snapshot, or change the guard"),
        "events": refused(
            *lost,
            "see whether the network lets this instance out",
            source_reachable=False,
            freshness=freshness(190_000, is_stale=True),
        ),
        "forecast": dataset(
            state="failed",
            snapshot_id=None,
            last_attempt=attempt(
                "manifest_invalid",
                "the manifest has 2 problems",
                "publish it again with all of its fields",
                problems=[
                    {"file": "manifest.json", "path": "watermark", "code": "missing_key",
                     "message": "watermark is missing", "hint": "add it"},
                    {"file": "manifest.json", "path": "files[0].size_bytes", "code": "wrong_type",
                     "message": "must be a number", "hint": "write a number"},
                ],
            ),
        ),
        "regions": dataset(memory="page_cache", rolled_back=["r0009"], required=False),
    }  # fmt: skip
    items = [
        item("upstream", "manifest_invalid", "forecast", message="the manifest has 2 problems",
             hint="publish it again with all of its fields"),
        item("environment", "store_unreachable", "events", message=lost[1],
             hint="see whether the network lets this instance out",
             runbook=f"{RUNBOOKS}#source-unreachable"),
        item("upstream", "row_count_dropped", "billing", message=dropped[1],
             hint="publish a repaired snapshot, or change the guard"),
        item("environment", "served_from_page_cache", "regions", severity="warning",
             message="its segment does not fit the memory: it is served from its file, slower",
             hint="raise OFFLOADER_MEMORY_LIMIT", runbook=f"{RUNBOOKS}#memory-full"),
        item("none", "pinned", "accounts", severity="note", message="it stays on r0002",
             hint="unpin it to follow the source again", runbook=f"{RUNBOOKS}#stale"),
    ]  # fmt: skip
    summary = "Upstream data: manifest_invalid, dataset forecast, which serves nothing; 3 more."
    return document(
        datasets,
        ready=False,
        reasons=["dataset forecast is not loaded yet"],
        verdict={"area": "upstream", "summary": summary, "items": items},
        last_swaps=[
            change("refused", dataset="billing", code="row_count_dropped", outcome="refused"),
            change("failed", dataset="events", code="store_unreachable", message=lost[1]),
            change("rolled_back", dataset="regions", by="operator", at="2026-05-31T23:00:00Z"),
            change("config_applied", dataset=None, by="config", **{"from": None, "to": None}),
            *[change(at=f"2026-05-31T{hour:02}:00:00Z") for hour in range(20, 8, -1)],
        ],
        memory={"shared_bytes": 3_900 << 20, "mapped_bytes": 1 << 30, "limit_bytes": 4_000 << 20},
    )


def many(count: int = 66) -> Document:
    """Return an instance of many datasets, one of which fails."""
    names = [f"dataset_number_{number:02}" for number in range(count)]
    datasets = {name: dataset(freshness=freshness(60 * i)) for i, name in enumerate(names)}
    datasets[names[40]] = refused("too_few_rows", "2 rows, the guard wants 3", "publish more")
    items = [item("upstream", "too_few_rows", names[40], message="2 rows, the guard wants 3")]
    summary = f"Upstream data: too_few_rows, dataset {names[40]}."
    return document(datasets, verdict={"area": "upstream", "summary": summary, "items": items})
