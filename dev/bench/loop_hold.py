"""Measure for how long heavy queries in pool threads hold up the event loop that answers the rest.

A probe on the loop asks to be woken every millisecond; how late it is, less what it waited for a
core (schedstat of proc(5)), is what it waited for the interpreter lock. Shown are both for one
wake in a hundred, and the greatest, for each heavy query on every pool thread, and for none.

    python -m dev.bench.loop_hold [--rows N] [--threads N] [--seconds N]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import uvloop

from dev.bench.cost import ALL, Work, made_segment, query_of
from offloader.service.worker.answer import Query
from offloader.web.worker import SWITCH_SECONDS

LIMIT_MS = 5.0
_PROBE_SECONDS = 0.001
_WORKS = (
    Work(("sum(calls)",)),
    Work(("sum(great)",)),
    Work(("avg(holes)",)),
    Work(("sum(amount)",)),
    Work(("count_distinct(account)",)),
    Work(("count_distinct(calls)",)),
    Work(("count_distinct(cost)",)),
    Work(("day", "sum(calls)"), ("day",)),
    Work(("account", "sum(calls)"), ("account",)),
    Work(("visitor", "sum(calls)"), ("visitor",)),
    Work(("cost", "max(calls)"), ("cost",)),
    Work(("account", "max(cost)", "count_distinct(day)"), ("account",), "max"),
    Work(("account", "day", "is_new", "avg(cost)"), ("account", "day", "is_new")),
    Work(("account", "cost"), (), "cost"),
    Work(("account", "cost"), (), "cost", limit=10_000),
    Work(("sum(cost)",), most=True),
    Work(ALL, limit=10_000),
    Work(ALL, limit=10_000, representation="gzip"),
    Work(ALL, limit=10_000, representation="ndjson"),
    Work(ALL, limit=10_000, representation="csv"),
    Work(ALL, limit=10_000, representation="arrow"),
)


def main() -> int:
    """Print a line for each query; return 1 when one of them holds the loop for over 5 ms."""
    parser = argparse.ArgumentParser(description="Measure what holds up the event loop.")
    parser.add_argument("--rows", type=int, default=6_000_000, help="a twelfth is read by each")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1.5)
    arguments = parser.parse_args()
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()  # as a worker does
    segment = made_segment(arguments.rows)
    queries: list[tuple[str, Query | None]] = [("nothing", None)]
    queries += [(str(work), query_of(segment, work)) for work in _WORKS]
    print(f"{arguments.rows:,} rows, {arguments.threads} threads; in ms, of a hundred wakes one")
    print("  late   less waiting for a core   greatest   query takes")
    worst = 0.0
    for name, query in queries:
        late, held, took = uvloop.run(_probe(query, arguments.threads, arguments.seconds))
        often = _rarely(held)
        worst = max(worst, often)
        print(f"{_rarely(late):6.2f}{often:26.2f}{held[-1]:11.2f}{took:14.2f}   {name}")
    print(f"one wake in a hundred waits for the lock {worst:.2f} ms at most (limit {LIMIT_MS:g})")
    return int(worst > LIMIT_MS)


def _rarely(ascending: Sequence[float]) -> float:
    return ascending[len(ascending) * 99 // 100]


async def _probe(
    query: Query | None, threads: int, seconds: float
) -> tuple[list[float], list[float], float]:
    """Return how late each wake was, that less the wait for a core, and the least query's time.

    The lists ascend; all is in milliseconds.
    """
    loop = asyncio.get_running_loop()
    took: list[float] = []
    late: list[float] = []
    held: list[float] = []
    end = time.perf_counter() + seconds

    def work() -> None:
        while query is not None and time.perf_counter() < end:
            began = time.perf_counter()
            query.finish()
            took.append((time.perf_counter() - began) * 1e3)

    with ThreadPoolExecutor(threads) as pool:
        running = [loop.run_in_executor(pool, work) for _ in range(threads)]
        while time.perf_counter() < end:
            waited_ms, wanted = _waited_for_a_core_ms(), time.perf_counter() + _PROBE_SECONDS
            await asyncio.sleep(_PROBE_SECONDS)
            late.append((time.perf_counter() - wanted) * 1e3)
            held.append(max(0.0, late[-1] - (_waited_for_a_core_ms() - waited_ms)))
        await asyncio.gather(*running)
    return sorted(late), sorted(held), min(took, default=0.0)


def _waited_for_a_core_ms() -> float:
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e6


if __name__ == "__main__":
    raise SystemExit(main())
