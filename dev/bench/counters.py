"""Measure what counting a request costs: processor time, and ratio to an empty function call."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from dev.bench.rounds import in_turns, middle, spread, write_figures
from offloader.shared.slots import Head, Slots

LIMIT_MICROS = 1.0
_IN_FLIGHT = int(Head.IN_FLIGHT)


def main(argv: list[str] | None = None) -> int:
    """Print the cost of each piece and of all; return 1 when all cost more than a microsecond."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=100_000, help="calls a round")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, help="where the figures go, too")
    args = parser.parse_args(argv)
    slots = Slots(1)
    counters, head = slots.counters(0), slots.head(0)

    def empty(_row: int, _status: int, _duration_ns: int, _rows: int, _cache: str) -> None:
        pass

    def in_flight(_row: int, _status: int, _duration_ns: int, _rows: int, _cache: str) -> None:
        head[_IN_FLIGHT] += 1
        head[_IN_FLIGHT] -= 1

    ways = {"an empty call": empty, "in flight": in_flight, "count": counters.count}
    found = in_turns(
        {name: _timed(way, args.calls) for name, way in ways.items()},
        args.rounds,
    )
    base = middle(found["an empty call"])
    print(f"{args.calls:,} calls a round, {args.rounds} rounds")
    for name, micros in found.items():
        print(f"  {name:14} {spread(micros, 'µs')}   {middle(micros) / base:5.1f} empty calls")
    total = middle(found["in flight"]) + middle(found["count"]) - 2 * base
    print(f"  a request is counted in {total:.3f} µs, less the calls (limit {LIMIT_MICROS:g} µs)")
    write_figures(args.json, "counters", {"microseconds": total})
    slots.close()
    return int(total > LIMIT_MICROS)


def _timed(way: Callable[[int, int, int, int, str], None], calls: int) -> Callable[[], float]:
    def run() -> float:
        began = time.thread_time()  # what others had of the core in between is not its cost
        for _ in range(calls):
            way(3, 200, 123_456, 100, "off")
        return (time.thread_time() - began) / calls * 1e6

    return run


if __name__ == "__main__":
    raise SystemExit(main())
