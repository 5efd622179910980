"""Measure what a worker costs in memory, and that workers share the segments.

The real service runs with 2 and then with 4 workers over the same segments, of one large dataset
and of many small ones. Each worker is looked
at when it has attached, and again when it has read every row. Private memory is what no other
process maps (Private_Clean + Private_Dirty of smaps, proc(5)); PSS counts a page that n processes
map as 1/n of it.

    python -m dev.bench.worker_memory [--rows N] [--datasets N] [--workers N ...] [--json FILE]
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from dev.bench.rounds import write_figures
from dev.bench.usage_service import (
    SUMMARY,
    Service,
    get,
    running,
    segment_bytes,
    wait_for,
    write_project,
)

LIMIT_BYTES = 60e6
SHARED_LIMIT = 1.25
# The columns the summary reads: region, calls, cost and day.
_READ_ROW_BYTES = 21
_MAPPING = re.compile(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+\s*(.*)")
_SEGMENT = "/memfd:offloader-usage"


@dataclass(frozen=True, slots=True)
class Memory:
    """What the kernel counts for one process, in bytes; `segment_…` is of segments alone."""

    private: int
    pss: int
    segment_rss: int
    segment_pss: int


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker when it has attached, and when it has read every row."""

    attached: Memory
    used: Memory


def main(argv: list[str] | None = None) -> int:
    """Print a table for each number of workers; return 1 when a limit is broken."""
    parser = argparse.ArgumentParser(description="Measure the memory of the service's workers.")
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--datasets", type=int, default=50)
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--json", type=Path, help="where the figures go, too")
    parser.add_argument("--folder", help="where the files go; default: the temporary folder")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        return _compare(Path(folder), arguments)


def _compare(folder: Path, arguments: argparse.Namespace) -> int:
    rows, counts = arguments.rows, arguments.workers
    project = write_project(folder / "project", rows, arguments.datasets)
    cache = folder / "cache"
    with running(project, cache, counts[0]):
        pass  # builds the segments, so that every run that is measured begins alike
    size = f"{segment_bytes(cache) / 1e6:.0f} MB of segments"
    print(f"{rows:,} rows, {arguments.datasets} datasets, {size}; figures in MB")
    found = {count: _workers(project, cache, count, rows) for count in counts}
    for count, workers in found.items():
        _show(count, workers)
    worst = max(worker.attached.private for workers in found.values() for worker in workers)
    totals = [sum(worker.used.segment_pss for worker in workers) for workers in found.values()]
    ratio = max(totals) / min(totals)
    print(f"import and attach  {worst / 1e6:7.1f} private at most (limit {LIMIT_BYTES / 1e6:g})")
    print(f"segments together  {ratio:7.2f} x between the runs (limit {SHARED_LIMIT:g})")
    figures = {"private_mb": worst / 1e6, "segments_ratio": ratio}
    write_figures(arguments.json, "worker_memory", figures)
    return int(worst > LIMIT_BYTES or ratio > SHARED_LIMIT)


def _workers(project: Path, cache: Path, count: int, rows: int) -> list[Worker]:
    with running(project, cache, count) as service:
        pids = service.worker_pids()
        attached = [memory_of(pid) for pid in pids]
        _read_all(service, pids, rows)
        used = [memory_of(pid) for pid in pids]
    return [Worker(*pair) for pair in zip(attached, used, strict=True)]


def _read_all(service: Service, pids: Sequence[int], rows: int) -> None:
    """Ask in parallel until every worker has read all rows; the kernel chooses who answers."""
    with ThreadPoolExecutor(2 * len(pids)) as pool:

        def asked() -> bool:
            list(pool.map(get, [service.api] * 4 * len(pids), [SUMMARY] * 4 * len(pids)))
            return all(memory_of(pid).segment_rss >= _READ_ROW_BYTES * rows for pid in pids)

        wait_for(asked, limit_seconds=120)


def memory_of(pid: int) -> Memory:
    """Read one process's memory from smaps; raises OSError when it is gone."""
    totals = dict.fromkeys(("Private", "Pss", "segment Rss", "segment Pss"), 0)
    is_segment = False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        name, _, value = line.partition(":")
        if mapping := _MAPPING.fullmatch(line):
            is_segment = mapping[1].startswith(_SEGMENT)
        elif name in ("Private_Clean", "Private_Dirty", "Pss", "Rss"):
            size_bytes = int(value.split()[0]) * 1024
            for total in (name.partition("_")[0], f"segment {name}" if is_segment else ""):
                if total in totals:
                    totals[total] += size_bytes
    return Memory(*totals.values())


def _show(count: int, workers: Sequence[Worker]) -> None:
    print(f"\n{count} workers   private    private      PSS   segments   segments")
    print("            attached       used     used        RSS        PSS")
    rows = [(w.attached.private, w.used.private, w.used.pss) for w in workers]
    segments = [(w.used.segment_rss, w.used.segment_pss) for w in workers]
    lines = [(*row, *segment) for row, segment in zip(rows, segments, strict=True)]
    for number, line in enumerate([*lines, tuple(map(sum, zip(*lines, strict=True)))]):
        name = f"worker {number}" if number < len(workers) else "together"
        print(f"{name:10s}" + "".join(f"{value / 1e6:10.1f}" for value in line))
    print()


if __name__ == "__main__":
    raise SystemExit(main())
