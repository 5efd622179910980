"""Under more heavy work than the workers can do: some is shed, and all else is answered."""

from __future__ import annotations

import http.client
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import pyarrow as pa
import pytest

from tests.http_replies import Reply, reply_of
from tests.projects import (
    UsageProject,
    publish,
    usage_dataset,
    usage_table,
    write_project,
)
from tests.service_process import Running, running
from tests.web.metric_values import value

CALLERS, REQUESTS = 200, 3
ROWS, COPIES = 1000, 300
_PICKED = ["account_id", "usage_date", "api_calls", "storage_gb", "amount", "updated_at"]


def overload_project(root: Path) -> None:
    """Write a public project: a light look-up, and a page that takes long to sort and encode."""
    pick = {"account_id": "account_id"}
    heavy = endpoint("heavy", _PICKED, {"column": "api_calls", "op": "gte", "param": "least"})
    heavy["params"] = [{"name": "least", "type": "integer"}]
    heavy["query"]["order_by"] = [{"column": "storage_gb", "dir": "desc"}]
    light = endpoint("light", [*pick], {"column": "account_id", "op": "eq", "param": "account_id"})
    light["params"] = [{"name": "account_id", "type": "string", "required": True}]
    dataset = usage_dataset()
    del dataset["tenant_column"]
    write_project(root, datasets={"usage": dataset}, endpoints={"heavy": heavy, "light": light})
    project = UsageProject(root, {}, root / "data" / "manifest.json")
    publish(project, pa.concat_tables([usage_table(ROWS)] * COPIES), "s0001")


def endpoint(name: str, columns: list[str], where: dict[str, str]) -> dict[str, Any]:
    """Return an endpoint over plain rows with one filter."""
    query = {"select": [{"as": c, "column": c} for c in columns], "filters": [where]}
    shown = {"name": name, "version": 1, "dataset": "usage", "query": query, "columns": columns}
    return {**shown, "pagination": {"default_limit": 5, "max_limit": 10_000}}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Run two workers with one heavy scan at a time each."""
    folder = tmp_path_factory.mktemp("overload")
    overload_project(folder / "project")
    settings = {"scan_concurrency": "1", "response_cache_bytes": "0"}
    with running(folder / "project", folder / "cache", **settings) as started:
        started.wait(started.is_complete)
        yield started


def call_heavily(service: Running, caller: int, begin: Barrier) -> list[Reply]:
    """Ask for pages that nobody else asks for, over one connection, from a common moment on."""
    connection = http.client.HTTPConnection(*service.api, timeout=120)
    connection.connect()
    begin.wait(120)
    replies = []
    for number in range(REQUESTS):
        least = caller * REQUESTS + number  # rows are the same, the ETag is not
        connection.request("GET", f"/v1/endpoints/heavy?limit=3000&least={least % 900}")
        replies.append(reply_of(connection.getresponse()))
    connection.close()
    return replies


def test_too_much_heavy_work_is_shed_and_all_else_goes_on(service: Running) -> None:
    """Each heavy request is answered or told when to come again; nothing else is refused."""
    begin, done = Barrier(CALLERS + 1), Event()
    with ThreadPoolExecutor(CALLERS + 1) as pool:
        light = pool.submit(call_lightly, service, done)
        heavy = [pool.submit(call_heavily, service, n, begin) for n in range(CALLERS)]
        begin.wait(120)
        replies = [reply for one in heavy for reply in one.result(300)]
        done.set()
        seen = light.result(60)
    counts = Counter(reply.status for reply in replies)
    assert set(counts) == {200, 503}, counts
    for reply in replies:
        if reply.status == 503:
            assert (reply.code, reply.headers["retry-after"]) == ("busy", "1")
        else:
            assert reply.document["meta"]["row_count"] == 3000
    assert set(seen) == {("/live", 200), ("/ready", 200), ("light", 200)}
    assert seen["light", 200] >= 3
    assert value(service, "offloader_shed_requests_total", endpoint="heavy") == counts[503]
    assert value(service, "offloader_shed_requests_total", endpoint="light") == 0


def call_lightly(service: Running, done: Event) -> Counter[tuple[str, int]]:
    """Ask for light work and for the health of the service until told that the rest is done."""
    seen: Counter[tuple[str, int]] = Counter()
    while not done.is_set():
        for route in ("/live", "/ready"):
            seen[route, service.ask_admin(route).status] += 1
        for account in range(5):
            reply = service.ask(f"/v1/endpoints/light?account_id=acct_{account}")
            seen["light", reply.status] += 1
    return seen
