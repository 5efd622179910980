"""The build benchmark runs, and what it times is the right segment."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from dev.bench import build_speed
from dev.bench.usage_snapshot import COLUMNS, DATASET, publish
from offloader.catalog.manifest import parse_manifest
from offloader.segment.read import Segment
from offloader.sources.manifest_file import read_manifest
from tests.segment.tables import Table, build, column_values
from tests.sources.opening import open_local

RATIOS = ("time ratio", "and row texts")


def _built(folder: Path) -> Segment:
    path = folder / "manifest.json"
    manifest = parse_manifest(read_manifest(path), path.name)
    snapshot = open_local(manifest, path, DATASET, root=folder)
    source = Table(COLUMNS, (), DATASET.tenant_column)
    return build(source, [build_speed.PATH], tables=snapshot.tables(), threads=2)


def test_the_segment_has_the_rows_of_the_peer(tmp_path: Path) -> None:
    """Ordered by its path, the segment holds what DuckDB's ORDER BY of the files gives."""
    publish(tmp_path, 3000, files=3)
    segment = _built(tmp_path)
    order = segment.paths[0].rows(0, 3000)
    assert not isinstance(order, slice)
    rows = list(zip(*map(column_values, segment.columns.values()), strict=True))
    columns = "tenant, account, epoch(day)::BIGINT // 86400, calls, cost, region"
    files = f"read_parquet('{tmp_path}/part-*.parquet')"
    query = f"SELECT {columns} FROM {files} ORDER BY tenant, account, day"
    expected = duckdb.connect().execute(query).fetchall()
    assert [rows[row] for row in order] == expected


def test_the_benchmark_prints_what_it_promises(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line per way, then ratios, memory and sizes; of its files only the figures stay."""
    figures = tmp_path / "figures.json"
    arguments = ["--rows", "2000", "--rounds", "1", "--folder", str(tmp_path)]
    build_speed.main([*arguments, "--json", str(figures)])
    printed = [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()[1:]]
    assert printed == [*build_speed.WAYS, *RATIOS, "peak memory", "segment", "with texts"]
    assert list(tmp_path.iterdir()) == [figures]
    names = ("plain_ratio", "peak_ratio", "texts_ratio")
    assert list(json.loads(figures.read_text())) == [f"build_speed.{name}" for name in names]
