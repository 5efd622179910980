"""Compare what queries are estimated to cost with what they take, over a made segment.

Shows each query's estimate beside the median of its times, and which of them would hold the event
loop for too long. Run it when the executor or an encoder has changed: the prices stand in
`offloader/service/worker/cost.py`.

    python -m dev.bench.cost [--rows N] [--rounds N]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dev.bench.rounds import middle
from offloader.catalog.model import Agg, Column, Dataset, Endpoint, Filter, Order, Param, Select
from offloader.catalog.types import parse_type
from offloader.query.locate import locate
from offloader.query.params import bind, parse_query
from offloader.query.plan import compile_plan
from offloader.segment.access_path import PathSpec
from offloader.segment.build import PartTargets, build_segment
from offloader.segment.facts import SnapshotFacts
from offloader.segment.read import Segment, open_segment
from offloader.service.worker.answer import Query
from offloader.service.worker.cost import INLINE_MICROS, cost_micros
from offloader.service.worker.generation import Served
from offloader.service.worker.negotiate import Representation

LOOP_LIMIT_MICROS = 5000.0
_REPRESENTATIONS = {
    "json": Representation("application/json", ""),
    "gzip": Representation("application/json", "gzip"),
    "zstd": Representation("application/json", "zstd"),
    "ndjson": Representation("application/x-ndjson", ""),
    "csv": Representation("text/csv", ""),
    "arrow": Representation("application/vnd.apache.arrow.stream", ""),
}
_REGIONS = 12
_COLUMNS = {
    "region": "VARCHAR",
    "account": "VARCHAR",
    "visitor": "VARCHAR",
    "day": "DATE",
    "calls": "BIGINT",
    "great": "BIGINT",
    "cost": "DOUBLE",
    "holes": "DOUBLE",
    "amount": "DECIMAL(12,2)",
    "seen_at": "TIMESTAMP",
    "is_new": "BOOLEAN",
    "nested": "JSON",
}
ALL = tuple(_COLUMNS)
_DATASET = Dataset(
    "usage",
    tuple(Column(name, parse_type(text)) for name, text in _COLUMNS.items()),
    manifest="m.json",
)


@dataclass(frozen=True, slots=True)
class Work:
    """One query: `select` is `column` or `agg(column)`, `days` how much of a region is read."""

    select: tuple[str, ...]
    group_by: tuple[str, ...] = ()
    order_by: str = ""
    days: int = 730
    limit: int = 100
    most: bool = False
    representation: str = "json"

    def __str__(self) -> str:
        columns = "every column" if self.select == ALL else " ".join(self.select)
        parts = [columns]
        parts += [f"by {' '.join(self.group_by)}"] if self.group_by else []
        parts += [f"order {self.order_by}"] if self.order_by else []
        parts += ["checked"] if self.most else []
        parts += [self.representation] if self.representation != "json" else []
        return f"{', '.join(parts)}; {self.days} d, limit {self.limit}"


def works() -> Iterator[Work]:
    """Yield what is measured."""
    for name in ALL:
        yield Work((name,), limit=10_000)
    for representation in _REPRESENTATIONS:
        yield Work(ALL, limit=1000, representation=representation)
    for days in (20, 120, 730):
        for agg, column in (
            ("count", "calls"), ("sum", "calls"), ("sum", "great"), ("sum", "cost"),
            ("avg", "holes"), ("max", "cost"), ("sum", "amount"), ("count_distinct", "account"),
            ("count_distinct", "calls"), ("count_distinct", "cost"),
        ):  # fmt: skip
            yield Work((f"{agg}({column})",), days=days)
        for key in ("is_new", "day", "account", "visitor", "cost"):
            yield Work((key, "sum(calls)"), (key,), days=days)
        yield Work(("account", "max(cost)", "count_distinct(day)"), ("account",), "max", days)
        yield Work(
            ("account", "day", "is_new", "avg(cost)"), ("account", "day", "is_new"), "", days
        )
        yield Work(("account", "cost"), (), "cost", days)
        yield Work(("account", "cost"), (), "cost", days, 10_000)
        yield Work(("account", "cost"), (), "", days, 100, most=True)
        yield Work(("sum(cost)",), days=days, most=True)


def main() -> int:
    """Print estimates and times; return 1 when a query the loop would run takes over 5 ms."""
    parser = argparse.ArgumentParser(description="Compare estimated costs with real ones.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    segment = made_segment(arguments.rows)
    print(f"{arguments.rows:,} rows, medians of {arguments.rounds} rounds, in µs")
    print("  estimated   measured   ratio  where")
    worst = 0.0
    for work in works():
        query = query_of(segment, work)
        estimated, measured = cost_micros(query), _time(query, arguments.rounds)
        is_inline = estimated <= INLINE_MICROS
        worst = max(worst, measured) if is_inline else worst
        where = "loop" if is_inline else "pool"
        ratio = estimated / measured
        print(f"{estimated:11.0f}{measured:11.0f}{ratio:8.2f}  {where}  {work}")
    print(f"longest on the loop: {worst:.0f} µs (limit {LOOP_LIMIT_MICROS:g})")
    return int(worst > LOOP_LIMIT_MICROS)


def made_segment(rows: int) -> Segment:
    """Build a segment of every kind of column, with a path by region and day."""
    table = _table(rows)
    with tempfile.TemporaryDirectory() as folder:
        columns, path = Path(folder) / "columns", Path(folder) / "path"
        targets = PartTargets(columns, ((PathSpec(("region", "day")), path),))
        facts = SnapshotFacts("usage", "bench_r0001", "d" * 32, 0, 0)
        build_segment([table], _DATASET.columns, None, targets, facts, threads=2)
        return open_segment(columns.read_bytes(), [path.read_bytes()])


def _table(rows: int) -> pa.Table:
    random = np.random.default_rng(20_260_601)

    def text(prefix: str, distinct: int) -> pa.Array:
        words = pa.array([f"{prefix}_{number:06d}" for number in range(distinct)])
        return words.take(pa.array(random.integers(0, distinct, rows)))

    nested = pa.array([f'{{"plan":"p{n}","tags":["a","b"],"limit":{n}}}' for n in range(1000)])
    arrays: dict[str, Any] = {
        "region": text("region", _REGIONS),
        "account": text("account", 50_000),
        "visitor": text("visitor", max(1, rows // 2)),
        "day": pa.array(random.integers(19_000, 19_730, rows).astype(np.int32)).cast(pa.date32()),
        "calls": random.integers(0, 10**9, rows),
        "great": random.integers(0, 2**62, rows),
        "cost": random.random(rows),
        "holes": pa.array(random.random(rows), mask=random.random(rows) < 0.3),
        "amount": pa.array(random.integers(0, 10**7, rows, np.int32)).cast(pa.decimal128(12, 2)),
        "seen_at": pa.array(random.integers(1_700_000_000, 1_800_000_000, rows) * 10**6 + 5).cast(
            pa.timestamp("us", "UTC")
        ),
        "is_new": random.random(rows) < 0.5,
        "nested": nested.take(pa.array(random.integers(0, 1000, rows))),
    }
    return pa.table(arrays)


def query_of(segment: Segment, work: Work) -> Query:
    """Bind a query as a request would."""
    items = tuple(_select(text) for text in work.select)
    filters = [Filter("region", "eq", "region"), Filter("day", "gte", "since")]
    filters += [Filter("calls", "gte", "most")] if work.most else []
    endpoint = Endpoint(
        name="usage",
        version=1,
        dataset="usage",
        select=items,
        columns=tuple(item.alias for item in items),
        params=(Param("region", "string"), Param("since", "date"), Param("most", "integer")),
        filters=tuple(filters),
        group_by=work.group_by,
        order_by=(Order(work.order_by, True),) if work.order_by else (),
        max_limit=10_000,
        digest="e" * 32,
    )
    plan = compile_plan(_DATASET, endpoint, segment)
    since = np.datetime64(19_730 - work.days, "D")
    asked = f"region=region_000003&since={since}&limit={work.limit}"
    asked += "&most=5" if work.most else ""
    bound = bind(plan.signature, parse_query(asked.encode()))
    return Query(
        served=Served(endpoint, plan),
        plan=plan,
        bound=bound,
        tenant=None,
        located=locate(plan, bound, None),
        stale=False,
        representation=_REPRESENTATIONS[work.representation],
        fields="",
        tag='"bench"',
    )


def _select(text: str) -> Select:
    agg, _, column = text.rstrip(")").rpartition("(")
    found: Agg | None = agg or None  # type: ignore[assignment]
    return Select(agg or column, column, found)


def _time(query: Query, rounds: int) -> float:
    seconds = []
    for _ in range(rounds):
        began = time.thread_time()  # without what others had of the core in between
        query.finish()
        seconds.append(time.thread_time() - began)
    return middle(seconds) * 1e6


if __name__ == "__main__":
    raise SystemExit(main())
