"""Measure what docs/operator.md says of memory and disk, with the bundled examples.

For each example: how large its segments are beside its files and beside its rows in Arrow, and
the peak of the build. For 1, 2 and 4 workers, and with everything in a bucket: what each process
takes beside the segments. Then what kept answers take in a worker, and what swaps to further
snapshots keep in memory and on disk.

    python -m dev.bench.sizing [--rows N] [--workers N ...] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pa_parquet

from dev.bench.footprint import Footprint, footprint_of, watching_builders
from dev.bench.growth import kept_answers, publish, swaps
from dev.bench.rounds import write_figures
from dev.bench.usage_service import running, segment_bytes, write_project
from dev.emulators import gcs_emulator

EXAMPLES = Path(__file__).parents[1] / "examples"
ANALYTICS = "customer-analytics"
_BUCKET = "sizing"


@dataclass(frozen=True, slots=True)
class Sizes:
    """What one dataset takes, in bytes; `peak` is the builder's greatest resident size.

    `kinds` are those of a segment's parts: columns, access paths, row texts.
    """

    rows: int
    files: int
    arrow: int
    segment: int
    peak: int
    kinds: Mapping[str, int]


def main(argv: list[str] | None = None) -> int:
    """Print every table and write the figures; return 0."""
    parser = argparse.ArgumentParser(description="Measure memory and disk of the service.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--json", type=Path, help="where the figures go, too")
    parser.add_argument("--folder", help="where the files go; default: the temporary folder")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        figures = _measure(Path(folder), arguments.rows, arguments.workers)
    write_figures(arguments.json, "sizing", figures)
    return 0


def _measure(folder: Path, rows: int, counts: Sequence[int]) -> dict[str, float]:
    projects = _projects(folder, rows)
    print("dataset                 rows  files  Arrow  segment  x files  x Arrow   peak  x Arrow")
    sizes = {name: _build(name, project, folder / name) for name, project in projects.items()}
    project, cache = projects[ANALYTICS], folder / ANALYTICS / "cache"
    _print_kinds(sizes)
    print("\nprocesses, segments left out: private, PSS")
    footprints = {count: _footprint(project, cache, count) for count in counts}
    in_bucket = _in_bucket(project, folder)
    kept = kept_answers(project, cache)
    return {
        **_of_builds(sizes),
        **_of_processes(footprints),
        "bucket_reloader_private_mb": in_bucket.reloader.private / 1e6,
        "kept_ratio": kept,
        **swaps(project, cache, rows),
    }


def _projects(folder: Path, rows: int) -> dict[str, Path]:
    """Write the projects and publish their first snapshots."""
    found = {"usage": write_project(folder / "usage-project", rows)}
    for name, script in ((ANALYTICS, "generate.py"), ("flights", "build.py")):
        project = folder / f"{name}-project"
        shutil.copytree(EXAMPLES / name, project, ignore=shutil.ignore_patterns("data"))
        if publish(project, script, *([f"--rows={rows}"] if name == ANALYTICS else [])):
            found[name] = project
    return found


def _build(name: str, project: Path, folder: Path) -> Sizes:
    """Start the service cold, with one worker, and look at what its builder takes."""
    folder.mkdir()
    cache = folder / "cache"
    with watching_builders(cache) as watch, running(project, cache, 1) as service:
        (dataset,) = service.diagnostics()["datasets"].values()
    (manifest,) = project.glob("*data/manifest.json")
    files = [manifest.parent / one["path"] for one in json.loads(manifest.read_text())["files"]]
    tables = [pa_parquet.read_table(file) for file in files]
    sizes = Sizes(
        sum(table.num_rows for table in tables),
        sum(file.stat().st_size for file in files),
        sum(table.nbytes for table in tables),
        segment_bytes(cache),
        watch.peak_bytes,
        dataset["part_bytes"],
    )
    in_files, arrow, segment, peak = (
        size / 1e6 for size in (sizes.files, sizes.arrow, sizes.segment, sizes.peak)
    )
    print(
        f"{name:18s}{sizes.rows:10,}{in_files:7.1f}{arrow:7.1f}{segment:9.1f}"
        f"{segment / in_files:9.2f}{segment / arrow:9.2f}{peak:7.0f}{peak / arrow:9.2f}"
    )
    return sizes


def _print_kinds(sizes: Mapping[str, Sizes]) -> None:
    print("\nbytes of a row in a segment")
    for name, one in sizes.items():
        words = [f"{kind} {size / one.rows:.1f}" for kind, size in one.kinds.items()]
        print(f"{name:20s}{', '.join(words)}")


def _footprint(
    project: Path | str, cache: Path, workers: int, environ: Mapping[str, str] | None = None
) -> Footprint:
    with running(project, cache, workers, environ=environ) as service:
        found = footprint_of(service)
    worker = max(found.workers, key=lambda own: own.private)
    shown = {"main": found.main, "reloader": found.reloader, "a worker": worker}
    words = [f"{name} {own.private / 1e6:.1f}, {own.pss / 1e6:.1f}" for name, own in shown.items()]
    print(f"{workers} workers: {'; '.join(words)}; together {found.together / 1e6:.1f} MB")
    return found


def _in_bucket(project: Path, folder: Path) -> Footprint:
    """Look at a service whose project and data lie in a bucket, with a library to read it."""
    with gcs_emulator() as emulator:
        emulator.make_bucket(_BUCKET)
        emulator.put_folder(_BUCKET, "project", project)
        print("in a bucket, ", end="")
        url, cache = f"gs://{_BUCKET}/project", folder / "bucket-cache"
        return _footprint(url, cache, 2, emulator.environ)


def _of_builds(sizes: Mapping[str, Sizes]) -> dict[str, float]:
    return {
        "segment_per_file_byte": max(one.segment / one.files for one in sizes.values()),
        "segment_per_arrow_byte": max(one.segment / one.arrow for one in sizes.values()),
        "peak_per_arrow_byte": max(one.peak / one.arrow for one in sizes.values()),
    }


def _of_processes(footprints: Mapping[int, Footprint]) -> dict[str, float]:
    def most(sizes: Iterable[int]) -> float:
        return max(sizes) / 1e6

    return {
        "worker_private_mb": most(w.private for f in footprints.values() for w in f.workers),
        "main_private_mb": most(f.main.private for f in footprints.values()),
        "reloader_private_mb": most(f.reloader.private for f in footprints.values()),
        **{f"together_{n}_workers_mb": f.together / 1e6 for n, f in footprints.items()},
    }


if __name__ == "__main__":
    raise SystemExit(main())
