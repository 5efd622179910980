"""Time a warm restart, from the start of the process to the first 200 of `/ready`.

The service builds its segments once and is then started again on the same cache. Beside it, in
turns, the least that any loader must do: read the same files and compare their xxh3-128. Both find
the files in the page cache.

    python -m dev.bench.warm_restart [--megabytes N] [--rounds N] [--workers N]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import xxhash

from dev.bench.rounds import in_turns, middle, spread
from dev.bench.usage_service import running, segment_bytes, write_project

START_SECONDS, BYTES_A_SECOND = 3.0, 2e9
_ROW_BYTES = 41.0  # of the generated rows, columns and access path together
_SLICE_BYTES = 1 << 20


def main(argv: list[str] | None = None) -> int:
    """Print the times and the bound; return 1 when the bound is broken."""
    parser = argparse.ArgumentParser(description="Time a warm restart of the service.")
    parser.add_argument("--megabytes", type=float, default=1000, help="size of the segments")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", help="where the files go; default: the temporary folder")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        rows = max(1, int(arguments.megabytes * 1e6 / _ROW_BYTES))
        return _measure(Path(folder), rows, arguments.rounds, arguments.workers)


def _measure(folder: Path, rows: int, rounds: int, workers: int) -> int:
    project, cache = write_project(folder / "project", rows), folder / "cache"
    cold_seconds, _ = _start(project, cache, workers)
    size_bytes = segment_bytes(cache)
    print(f"{rows:,} rows, {size_bytes / 1e6:.0f} MB of segments, {workers} workers")
    found = in_turns(
        {
            "restart": lambda: _start(project, cache, workers),
            "plain copy": lambda: (_plain_copy(cache), 0.0),
        },
        rounds,
    )
    ready = [seconds for seconds, _ in found["restart"]]
    loaded = [seconds for _, seconds in found["restart"]]
    copied = [seconds for seconds, _ in found["plain copy"]]
    bound_seconds = START_SECONDS + size_bytes / BYTES_A_SECOND
    print(f"cold start     {cold_seconds:8.3f} s  (with the build, once)")
    print(f"warm restart   {spread(ready, 's')}, bound {bound_seconds:.3f} s")
    print(f"  of it load   {spread(loaded, 's')}")
    print(f"plain copy     {spread(copied, 's')}")
    print(f"restart ratio  {middle(ready) / middle(copied):8.2f} x the plain copy")
    print(f"load ratio     {middle(loaded) / middle(copied):8.2f} x the plain copy")
    return int(middle(ready) > bound_seconds)


def _start(project: Path, cache: Path, workers: int) -> tuple[float, float]:
    """Start and stop the service; return the seconds until ready, and those of main's load."""
    start = time.perf_counter()
    with running(project, cache, workers) as service:
        seconds = time.perf_counter() - start
        loaded = service.event("segments_loaded")
        return seconds, loaded["seconds"] if loaded else 0.0


def _plain_copy(cache: Path) -> float:
    """Read every part into memory and hash it; return the seconds."""
    start = time.perf_counter()
    for path in cache.glob("segments/*/*"):
        content, digest = bytearray(path.stat().st_size), xxhash.xxh3_128()
        with path.open("rb") as file:
            file.readinto(content)
        for offset in range(0, len(content), _SLICE_BYTES):
            digest.update(memoryview(content)[offset : offset + _SLICE_BYTES])
        digest.digest()
    return time.perf_counter() - start


if __name__ == "__main__":
    raise SystemExit(main())
