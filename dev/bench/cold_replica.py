"""Time a replica that starts with nothing but its environment, until `/ready` answers 200.

Config, data and segments lie in a bucket of an emulator of GCS. With the segment store, beside it
in turns: the same bytes copied from the same emulator by Google's own client, in a process of its
own. Without it: a service that downloads while it builds, beside the download by that client and
then the build from local files.

    python -m dev.bench.cold_replica [--megabytes N] [--rounds N] [--workers N]
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dev.bench.rounds import in_process, in_turns, middle, spread
from dev.bench.usage_service import running, segment_bytes, wait_for, write_project
from dev.emulators import GcsEmulator, gcs_emulator

MOST_TIMES_A_COPY = 1.5
_ROW_BYTES = 114.0  # of the generated rows: columns, access path and encoded rows
_BUCKET = "bench"
_STORE = f"gs://{_BUCKET}/segments"


def main(argv: list[str] | None = None) -> int:
    """Print the times and the ratios; return 1 when the bound is broken."""
    parser = argparse.ArgumentParser(description="Time a cold replica of the service.")
    parser.add_argument("--megabytes", type=float, default=1000, help="size of the segments")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", help="where the files go; default: the temporary folder")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        objects = Path(folder) / "objects"
        objects.mkdir()
        with gcs_emulator(objects) as emulator:
            rows = max(1, int(arguments.megabytes * 1e6 / _ROW_BYTES))
            bench = _Bench(emulator, Path(folder), arguments.workers)
            return bench.measure(rows, arguments.rounds)


@dataclass(frozen=True, slots=True)
class _Bench:
    emulator: GcsEmulator
    folder: Path
    workers: int

    def measure(self, rows: int, rounds: int) -> int:
        """Fill the bucket, then take the times in turns."""
        project = write_project(self.folder / "project", rows)
        self.emulator.make_bucket(_BUCKET)
        self.emulator.put_folder(_BUCKET, "project", project)
        size_bytes = self._share()
        print(f"{rows:,} rows, {size_bytes / 1e6:.0f} MB of segments, {self.workers} workers")
        found = in_turns(
            {
                "shared": lambda: self._cold(f"gs://{_BUCKET}/project", {"SEGMENT_STORE": _STORE}),
                "copy": lambda: self._copy("segments", ".part"),
                "overlapped": lambda: self._cold(f"gs://{_BUCKET}/project", {}),
                "in a row": lambda: (
                    self._copy("project", ".parquet") + self._cold(str(project), {})
                ),
            },
            rounds,
        )
        shared, copied = middle(found["shared"]), middle(found["copy"])
        overlapped, in_a_row = middle(found["overlapped"]), middle(found["in a row"])
        print(f"cold with the segment store    {spread(found['shared'], 's')}")
        print(f"copy of the same bytes         {spread(found['copy'], 's')}")
        print(f"cold without it                {spread(found['overlapped'], 's')}")
        print(f"download, then build           {spread(found['in a row'], 's')}")
        print(f"cold ratio     {shared / copied:8.2f} x the copy, bound {MOST_TIMES_A_COPY:.2f}")
        print(f"overlap ratio  {overlapped / in_a_row:8.2f} x download, then build")
        return int(shared > MOST_TIMES_A_COPY * copied)

    def _share(self) -> int:
        """Have a first replica build and upload; return the bytes of the parts."""
        cache = self.folder / "first"
        settings = {"SEGMENT_STORE": _STORE}
        with running(
            f"gs://{_BUCKET}/project", cache, self.workers, settings, environ=self.emulator.environ
        ) as service:
            parts = len(list(cache.glob("segments/*/*")))
            wait_for(lambda: service.diagnostics()["segment_store"]["parts"]["uploaded"] == parts)
        return segment_bytes(cache)

    def _cold(self, config: str, settings: dict[str, str]) -> float:
        """Start a service with an empty cache; return the seconds until it is ready."""
        return self._in_empty_folder(lambda folder: self._ready(folder / "cache", config, settings))

    def _ready(self, cache: Path, config: str, settings: dict[str, str]) -> float:
        start = time.perf_counter()
        with running(
            config, cache, self.workers, settings, environ=self.emulator.environ
        ) as service:
            seconds = time.perf_counter() - start
            if settings and service.event("build_started"):
                raise RuntimeError(f"it built what is shared:\n{service.log.read_text()}")
            return seconds

    def _copy(self, prefix: str, ending: str) -> float:
        """Copy objects in a process of its own; return the seconds it lived."""

        def copy(folder: Path) -> float:
            start = time.perf_counter()
            arguments = [self.emulator.url, _BUCKET, prefix, ending, str(folder)]
            in_process("dev.bench.bucket_copy", arguments)
            return time.perf_counter() - start

        return self._in_empty_folder(copy)

    def _in_empty_folder(self, act: Callable[[Path], float]) -> float:
        folder = self.folder / "round"
        folder.mkdir()
        try:
            return act(folder)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    raise SystemExit(main())
