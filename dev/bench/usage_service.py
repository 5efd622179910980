"""A real service over generated rows: its project, its start, its stop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from dev.bench.usage_snapshot import COLUMNS, publish

DEADLINE_SECONDS = 600.0
STOP_SECONDS = 30.0
SUMMARY = "/v1/endpoints/usage_by_region"
_LOOK_SECONDS = 0.01
_TOKEN = "bench"
_SMALL_ROWS = 2_000
# A summary that reads every row, and a lookup that has an access path built.
_ENDPOINTS: dict[str, dict[str, Any]] = {
    "by_region": {
        "select": [
            {"as": "region", "column": "region"},
            {"as": "calls", "column": "calls", "agg": "sum"},
            {"as": "cost", "column": "cost", "agg": "sum"},
            {"as": "last_day", "column": "day", "agg": "max"},
        ],
        "group_by": ["region"],
        "order_by": [{"column": "region", "dir": "asc"}],
    },
    "of_account": {
        "select": [{"as": name, "column": name} for name in ("day", "calls", "cost")],
        "filters": [
            {"column": "tenant", "op": "eq", "param": "tenant"},
            {"column": "account", "op": "eq", "param": "account"},
        ],
        "order_by": [{"column": "day", "dir": "asc"}],
    },
}
KINDS = tuple(_ENDPOINTS)


@dataclass(frozen=True, slots=True)
class Service:
    """One running service; `api` and `admin` are `host:port`, `log` is its JSON lines."""

    process: subprocess.Popen[bytes]
    api: str
    admin: str
    log: Path

    def event(self, name: str) -> Mapping[str, Any] | None:
        """Return the fields of the first log line of an event, None when there is none."""
        return _event(self.log, name)

    def diagnostics(self) -> Mapping[str, Any]:
        """Return what the admin port tells of the insides."""
        document: Mapping[str, Any] = json.loads(get(self.admin, "/diagnostics")[1])
        return document

    def worker_pids(self) -> list[int]:
        """Wait until every worker has attached; return their pids."""

        def attached() -> list[int] | None:
            told = self.diagnostics()["processes"]
            pids = [worker["pid"] for worker in told["workers"]]
            return pids if told["workers_attached"] == len(pids) else None

        pids: list[int] = wait_for(attached)
        return pids


def write_project(
    root: Path, rows: int, datasets: int = 1, further_kinds: Collection[str] = KINDS
) -> Path:
    """Write a public project over `rows` rows and return its root.

    Further datasets are small; each has the same columns and endpoints of its own, of those kinds.
    """
    for folder in ("datasets", "endpoints"):
        (root / folder).mkdir(parents=True)
    _write(root / "offloader.yml", {"version": 1, "auth": "none"})
    _write_dataset(root, "usage", rows, KINDS)
    for number in range(1, datasets):
        _write_dataset(root, f"usage_{number:03d}", _SMALL_ROWS, further_kinds)
    return root


def _write_dataset(root: Path, dataset: str, rows: int, kinds: Collection[str]) -> None:
    folder = root / f"{dataset}_data"
    folder.mkdir()
    publish(folder, rows, files=1 if rows == _SMALL_ROWS else 4, dataset=dataset)
    document = {
        "id": dataset,
        "schema": [{"name": column.name, "type": str(column.type)} for column in COLUMNS],
        "manifest": f"{folder.name}/manifest.json",
    }
    _write(root / "datasets" / f"{dataset}.yml", document)
    for kind in kinds:
        name, query = f"{dataset}_{kind}", _ENDPOINTS[kind]
        filters = query.get("filters", [])
        endpoint = {
            "name": name,
            "version": 1,
            "dataset": dataset,
            "params": [{"name": f["param"], "type": "string", "required": True} for f in filters],
            "query": query,
            "columns": [output["as"] for output in query["select"]],
        }
        _write(root / "endpoints" / f"{name}.yml", endpoint)


@contextmanager
def running(
    project: Path | str,
    cache: Path,
    workers: int,
    settings: Mapping[str, str] | None = None,
    log: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Service]:
    """Start the service on ports of the kernel's choice, give it once ready, stop it.

    `settings` are further variables without their prefix, `environ` others; `log` defaults to a
    file beside the cache.
    """
    log = log or cache.with_suffix(".log")
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "offloader.cli.main", "serve"],
            env={
                **_environment(project, cache, {"WORKERS": str(workers), **(settings or {})}),
                **(environ or {}),
            },
            stderr=stderr,
            start_new_session=True,
        )
    try:
        started = wait_for(lambda: _alive(process, log) and _event(log, "starting"))
        service = Service(process, started["api"], started["admin"], log)
        wait_for(lambda: _alive(process, log) and _is_ready(service.admin))
        yield service
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def get(address: str, target: str) -> tuple[int, bytes]:
    """Send one GET on a connection of its own; return status and body."""
    connection = HTTPConnection(address, timeout=60)
    try:
        connection.request("GET", target, headers={"Authorization": f"Bearer {_TOKEN}"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def wait_for(look: Callable[[], Any], limit_seconds: float = DEADLINE_SECONDS) -> Any:
    """Look until there is something; raises TimeoutError."""
    deadline = time.monotonic() + limit_seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(_LOOK_SECONDS)
    raise TimeoutError(f"nothing came of it in {limit_seconds:g} s: see the service's log")


def segment_bytes(cache: Path) -> int:
    """Return the size of all parts in a cache."""
    return sum(path.stat().st_size for path in cache.glob("segments/*/*"))


def _environment(project: Path | str, cache: Path, given: Mapping[str, str]) -> dict[str, str]:
    settings = {
        "CONFIG": str(project),
        "CACHE_DIR": str(cache),
        "API_HOST": "127.0.0.1",
        "API_PORT": "0",
        "ADMIN_HOST": "127.0.0.1",
        "ADMIN_PORT": "0",
        "ADMIN_TOKEN": _TOKEN,
        "LOG_FORMAT": "json",
        **given,
    }
    others = {k: v for k, v in os.environ.items() if not k.startswith("OFFLOADER_")}
    return others | {f"OFFLOADER_{name}": value for name, value in settings.items()}


def _alive(process: subprocess.Popen[bytes], log: Path) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"the service ended:\n{log.read_text()}")
    return True


def _event(log: Path, name: str) -> Mapping[str, Any] | None:
    for line in log.read_text().splitlines(keepends=True):
        if line.startswith("{") and line.endswith("\n"):
            fields: dict[str, Any] = json.loads(line)
            if fields["event"] == name:
                return fields
    return None


def _is_ready(admin: str) -> bool:
    try:
        return get(admin, "/ready")[0] == 200
    except (OSError, HTTPException):
        return False


def _write(path: Path, document: Mapping[str, object]) -> None:
    path.write_text(json.dumps(document))  # JSON is YAML too
