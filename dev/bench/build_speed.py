"""Build a segment beside DuckDB's `CREATE TABLE … AS SELECT … ORDER BY` of the same files.

Ours: read and check the Parquet files, encode, sort, build the access path (tenant, account, day)
and write both parts to disk; once more with the JSON of every row, encoded ahead in the order of
the path. DuckDB: the same files, order and threads, once into memory and once into a database
file; ratios are to the faster. Each run is a process of its own; imports are not counted, memory
is.

    python -m dev.bench.build_speed [--rows N] [--rounds N] [--threads N] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from dev.bench.rounds import in_process, in_turns, middle, peak_bytes, spread, write_figures

SPEED_LIMIT, TEXTS_SPEED_LIMIT, MEMORY_LIMIT = 1.0, 2.0, 6.0
PATH = ("tenant", "account", "day")
WAYS = ("offloader", "row texts too", "duckdb-memory", "duckdb-file")


def main(argv: list[str] | None = None) -> int:
    """Print times, ratio and peak memory; return 1 when a limit is broken."""
    arguments = _arguments(argv)
    if arguments.once:
        print(json.dumps(_once(arguments.once, Path(arguments.folder), arguments.threads)))
        return 0
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        return _compare(Path(folder), arguments)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare the segment builder with DuckDB.")
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="where the figures go, too")
    parser.add_argument("--folder", help="where the files go; default: the temporary folder")
    parser.add_argument("--once", choices=WAYS, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def _compare(folder: Path, arguments: argparse.Namespace) -> int:
    from dev.bench.usage_snapshot import publish

    rows, threads = arguments.rows, arguments.threads
    arrow_bytes = publish(folder, rows)
    print(f"{rows:,} rows x 6 columns, {arrow_bytes / 1e6:.0f} MB in Arrow, {threads} threads")

    def run(way: str) -> dict[str, float]:
        fixed = ["--folder", str(folder), "--threads", str(threads)]
        return in_process("dev.bench.build_speed", ["--once", way, *fixed])

    found = in_turns({way: partial(run, way) for way in WAYS}, arguments.rounds)
    seconds = {way: [one["seconds"] for one in runs] for way, runs in found.items()}
    for way in WAYS:
        print(f"{way:14s} {spread(seconds[way], 's')}")
    peer = min(middle(seconds["duckdb-memory"]), middle(seconds["duckdb-file"]))
    plain, texts = (middle(seconds[way]) / peer for way in WAYS[:2])
    peak = max(one["peak_bytes"] for way in WAYS[:2] for one in found[way])
    written, with_texts = (found[way][0]["written_bytes"] for way in WAYS[:2])
    print(f"time ratio     {plain:8.2f}    (limit {SPEED_LIMIT:g})")
    print(f"and row texts  {texts:8.2f}    (limit {TEXTS_SPEED_LIMIT:g})")
    in_arrow = f"{peak / arrow_bytes:.2f} x Arrow (limit {MEMORY_LIMIT:g})"
    print(f"peak memory    {peak / 1e6:8.0f} MB, {in_arrow}")
    print(f"segment        {written / 1e6:8.0f} MB, {written / arrow_bytes:.2f} x Arrow")
    print(f"with texts     {with_texts / 1e6:8.0f} MB, {with_texts / arrow_bytes:.2f} x Arrow")
    figures = {"plain_ratio": plain, "peak_ratio": peak / arrow_bytes}
    if with_texts - written > rows:
        figures["texts_ratio"] = texts
    else:
        print("the row texts were over their budget: nothing was written of them")
    write_figures(arguments.json, "build_speed", figures)
    is_slow = plain > SPEED_LIMIT or texts > TEXTS_SPEED_LIMIT
    return int(is_slow or peak > MEMORY_LIMIT * arrow_bytes)


def _once(way: str, folder: Path, threads: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(dir=folder) as made:
        if way in WAYS[:2]:
            return _offloader(folder, Path(made), threads, has_texts=way == WAYS[1])
        return _duckdb(folder, ":memory:" if way == "duckdb-memory" else f"{made}/db", threads)


def _offloader(folder: Path, made: Path, threads: int, *, has_texts: bool) -> dict[str, float]:
    from dev.bench.usage_snapshot import COLUMNS, DATASET
    from offloader.catalog.manifest import parse_manifest
    from offloader.segment.access_path import PathSpec
    from offloader.segment.build import PartTargets, build_segment
    from offloader.segment.facts import SnapshotFacts
    from offloader.segment.row_text_spec import RowTextSpec
    from offloader.sources.manifest_file import read_manifest
    from offloader.sources.snapshot import open_snapshot
    from offloader.stores.access import Access
    from offloader.stores.location import Location
    from offloader.stores.open import Stores

    shown = [column.name for column in COLUMNS if column.name != DATASET.tenant_column]
    texts = RowTextSpec(tuple((name, name) for name in shown), PATH)
    start = time.perf_counter()
    path = folder / "manifest.json"
    manifest = parse_manifest(read_manifest(path), path.name)
    snapshot = open_snapshot(
        manifest,
        Location("file", str(folder), path.name),
        DATASET,
        stores=Stores(Access()),
        root=folder,
        spool=folder,
        threads=threads,
    )
    report = build_segment(
        snapshot.tables(),
        snapshot.columns,
        DATASET.tenant_column,
        PartTargets(
            made / "columns",
            ((PathSpec(PATH), made / "path"),),
            ((texts, made / "texts"),) if has_texts else (),
        ),
        SnapshotFacts(
            DATASET.id,
            manifest.snapshot_id,
            manifest.digest,
            manifest.watermark,
            manifest.created_at,
        ),
        threads=threads,
    )
    seconds = time.perf_counter() - start
    written = sum(report.written_bytes.values())
    return {"seconds": seconds, "peak_bytes": peak_bytes(), "written_bytes": written}


def _duckdb(folder: Path, database: str, threads: int) -> dict[str, float]:
    import duckdb

    query = (
        "CREATE TABLE usage AS SELECT tenant, account, day, calls, cost, region"
        f" FROM read_parquet('{folder}/part-*.parquet') ORDER BY {', '.join(PATH)}"
    )
    start = time.perf_counter()
    connection = duckdb.connect(database, config={"threads": threads})
    connection.execute(query)
    connection.close()
    return {"seconds": time.perf_counter() - start, "peak_bytes": peak_bytes(), "written_bytes": 0}


if __name__ == "__main__":
    sys.exit(main())
