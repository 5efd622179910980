"""Requests made ahead: what each work sends, over and over, as raw HTTP/1.1.

A file of requests is a sequence of two things: how many bytes a request has, as a decimal line, and
the request. wrk reads it in Lua, the paced generator in Python, so both send the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

import numpy as np
import pyarrow.parquet as pa_parquet

from dev.bench.serving.project import token_of
from dev.bench.serving.snapshots import TENANTS, order_id, sorted_file
from dev.bench.serving.works import Question

MOST = 10_000  # different requests of one work


@dataclass(frozen=True, slots=True)
class Ask:
    """One request of a work: a tenant (-1 for none), and a value for each parameter."""

    tenant: int
    values: tuple[str, ...]


def asks_of(question: Question, snapshots: Path, most: int = MOST) -> list[Ask]:
    """Return different requests that find rows, in an order that is random but always the same."""
    found = list(_FINDERS[question.endpoint](snapshots)) if question.params else _each_tenant()
    order = np.random.default_rng(7).permutation(len(found))[:most]
    return [found[index] for index in order]


def target_of(question: Question, ask: Ask) -> str:
    """Return the path and query string of a request to the service, and to peers like it."""
    query = urlencode(dict(zip(question.params, ask.values, strict=True)))
    return f"/v1/endpoints/{question.endpoint}" + (f"?{query}" if query else "")


def http_request(
    target: str, tenant: int, *, headers: Sequence[tuple[str, str]] = (), body: str = ""
) -> bytes:
    """Return one keep-alive request with the tenant's token; a body makes it a POST."""
    lines = [
        f"{'POST' if body else 'GET'} {target} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {token_of(tenant)}",
        *(f"{name}: {text}" for name, text in headers),
    ]
    if body:
        lines.append(f"Content-Length: {len(body.encode())}")
    return ("\r\n".join([*lines, "", ""]) + body).encode()


def roapi_request(question: Question, ask: Ask) -> bytes:
    """Return the same request for ROAPI: its REST route for rows, its SQL route for aggregates."""
    wanted = dict(zip(question.params, ask.values, strict=True))
    if question.is_tenants:
        wanted = {"tenant": f"tenant_{ask.tenant:06d}", **wanted}
    if question.endpoint != "usage_of_account":
        sql = question.sql.replace("::bigint", "")
        for number, value in enumerate(wanted.values(), start=1):
            sql = sql.replace(f"${number}", f"'{value}'")
        return http_request("/api/sql", ask.tenant, body=sql)
    filters = "&".join(f"filter[{name}]='{value}'" for name, value in wanted.items())
    query = f"columns=account,day,calls,cost,region&{filters}&sort=day&limit=50"
    return http_request(f"/api/tables/{question.table}?{quote(query, safe='=&,')}", ask.tenant)


def write_requests(path: Path, requests: Sequence[bytes]) -> Path:
    """Write requests into a file that the load generators read."""
    path.write_bytes(b"".join(b"%d\n%s" % (len(request), request) for request in requests))
    return path


def read_requests(path: Path) -> list[bytes]:
    """Read a file of requests."""
    content, at, requests = path.read_bytes(), 0, []
    while at < len(content):
        end = content.index(b"\n", at)
        size = int(content[at:end])
        requests.append(content[end + 1 : end + 1 + size])
        at = end + 1 + size
    return requests


def _each_tenant() -> list[Ask]:
    return [Ask(tenant, ()) for tenant in range(TENANTS)]


def _accounts(snapshots: Path) -> Iterator[Ask]:
    """Yield about twice as many accounts as are asked, from all over the table."""
    path = sorted_file(snapshots, "usage")
    table = pa_parquet.read_table(path, columns=["tenant", "account"])
    table = table.take(np.linspace(0, table.num_rows - 1, 2 * MOST, dtype=np.int64))
    pairs = zip(table["tenant"].to_pylist(), table["account"].to_pylist(), strict=True)
    for tenant, account in dict.fromkeys(pairs):
        yield Ask(int(tenant.removeprefix("tenant_")), (account,))


def _orders(snapshots: Path) -> Iterator[Ask]:  # noqa: ARG001
    for tenant in range(TENANTS):
        yield Ask(tenant, (order_id(tenant),))


def _routes(snapshots: Path) -> Iterator[Ask]:
    names = ["origin", "dest", "carrier"]
    groups = pa_parquet.read_table(sorted_file(snapshots, "flights"), columns=names)
    counted = groups.group_by(names).aggregate([([], "count_all")]).to_pylist()
    for row in sorted(counted, key=lambda row: [row[name] for name in names]):
        if row["count_all"] >= 25:
            yield Ask(-1, tuple(row[name] for name in names))


def _origins(snapshots: Path) -> Iterator[Ask]:  # noqa: ARG001
    for origin in ("EWR", "JFK", "LGA"):
        yield Ask(-1, (origin,))


_FINDERS = {
    "usage_of_account": _accounts,
    "order_lines": _orders,
    "flights_by_route": _routes,
    "flights_by_carrier": _origins,
}
