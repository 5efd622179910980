"""Measure content codings and formats: time and size by level, in turns within one run.

First the codings on a body of 50 KB of nested JSON and on one of 0.5 KB, then what the largest
page costs in each format: time to encode, bytes, and the memory it takes beside the segment.

    python -m dev.bench.codings [--rounds N] [--rows N]
"""

from __future__ import annotations

import argparse
import json
import random
import time
import tracemalloc
import zlib
from collections.abc import Callable, Sequence
from functools import partial

import zstandard

from dev.bench.rounds import in_turns, middle
from offloader.query.execute import run
from offloader.query.formats import FORMATS, encode
from offloader.service.worker.coding import GZIP_LEVEL, ZSTD_LEVEL, compress
from tests.query.serving import Served, serve
from tests.segment.tables import Value

GZIP_LEVELS = (1, 3, 5, 6, 9)
ZSTD_LEVELS = (-1, 1, 3, 6, 9)
BODY_BYTES = {"50 KB nested": 50_000, "2 KB": 2_048, "1 KB": 1_024, "0.5 KB": 512}
_CONTRACT = "account VARCHAR, day DATE, at TIMESTAMP, calls BIGINT, cost DECIMAL(12,4), rate DOUBLE"
_REPEATS = 20


def main(argv: list[str] | None = None) -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(description="Measure content codings and formats.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rows", type=int, default=10_000)
    arguments = parser.parse_args(argv)
    for name, size in BODY_BYTES.items():
        _show_codings(name, nested_body(size), arguments.rounds)
    _show_formats(arguments.rows, arguments.rounds)
    return 0


def nested_body(least_bytes: int) -> bytes:
    """Return a JSON body of nested rows of about this size, the same every time."""
    pick, rows = random.Random(7), ""
    while len(rows) < least_bytes:
        rows += ("," if rows else "") + json.dumps(_nested_row(pick), separators=(",", ":"))
    return f'{{"data":[{rows}]}}'.encode()[:least_bytes]


def _nested_row(pick: random.Random) -> dict[str, object]:
    events = [
        {
            "at": f"2026-05-{pick.randint(1, 28):02d}T{pick.randint(0, 23):02d}:00:00Z",
            "kind": pick.choice(["login", "call", "error"]),
            "milliseconds": pick.randint(1, 5000),
        }
        for _ in range(4)
    ]
    return {
        "account_id": f"acct_{pick.choice(['cedar', 'zephyr', 'oak'])}_{pick.randint(1, 99)}",
        "calls": pick.randint(0, 10**6),
        "amount": round(pick.random() * 1000, 2),
        "profile": {"plan": pick.choice(["pro", "free", "team"]), "events": events},
    }


def _show_codings(name: str, body: bytes, rounds: int) -> None:
    ways: dict[str, Callable[[], bytes]] = {}
    for level in GZIP_LEVELS:
        ways[f"gzip {level}"] = partial(zlib.compress, body, level, 31)
    for level in ZSTD_LEVELS:
        ways[f"zstd {level}"] = partial(zstandard.ZstdCompressor(level=level).compress, body)
    times = in_turns({way: partial(_microseconds, work) for way, work in ways.items()}, rounds)
    chosen = (f"gzip {GZIP_LEVEL}", f"zstd {ZSTD_LEVEL}")
    print(f"{name}: {len(body):,} bytes")
    for way, found in times.items():
        size = len(ways[way]())
        mark = "  <- used" if way in chosen and compress(body, way.split()[0])[1] else ""
        print(f"  {way:8s} {middle(found):8.1f} µs {size:8,} bytes {size / len(body):6.3f}{mark}")
    print()


def _show_formats(rows: int, rounds: int) -> None:
    served = largest(rows)
    bound = served.bound()
    result = run(served.plan, bound, None)
    ways: dict[str, Callable[[], bytes]] = {
        media: partial(encode, media, served.plan, bound, result, stale=False) for media in FORMATS
    }
    times = in_turns({media: partial(_microseconds, w, 1) for media, w in ways.items()}, rounds)
    print(f"{rows:,} rows of six columns; memory is the peak while encoding, the body included")
    for media, found in times.items():
        body, peak = _with_peak(ways[media])
        print(f"  {media:36s} {middle(found) / 1e3:7.2f} ms {len(body) / 1e6:6.2f} MB", end="")
        print(f" {peak / 1e6:6.1f} MB peak", end="")
        for coding in ("gzip", "zstd"):
            spent = middle([_microseconds(partial(compress, body, coding), 1) for _ in range(3)])
            print(f"   {coding} {spent / 1e3:6.2f} ms {len(compress(body, coding)[0]):,}", end="")
        print()


def largest(rows: int) -> Served:
    """Serve rows of every usual type in one page."""
    pick = random.Random(7)
    made: Sequence[tuple[Value, ...]] = [
        (
            f"acct_{pick.randint(1, 5000)}",
            20_000 + pick.randint(0, 600),
            1_780_272_000_000_000 + pick.randint(0, 10**12),
            pick.randint(0, 10**6),
            pick.randint(0, 10**9),
            pick.random(),
        )
        for _ in range(rows)
    ]
    return serve(_CONTRACT, made, default_limit=rows, max_limit=rows)


def _microseconds(work: Callable[[], object], repeats: int = _REPEATS) -> float:
    began = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - began) / repeats * 1e6


def _with_peak(work: Callable[[], bytes]) -> tuple[bytes, int]:
    tracemalloc.start()
    try:
        return work(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


if __name__ == "__main__":
    raise SystemExit(main())
