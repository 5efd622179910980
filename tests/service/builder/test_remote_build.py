"""Builds for endpoints that read the snapshot's files: checked as for a load, and not loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from offloader.segment.read import Segment, open_segment
from offloader.service.builder import process as builder
from offloader.service.cache import Cache
from offloader.service.generation_document import plan_parts
from tests.projects import UsageProject, publish, usage_dataset, usage_project, usage_table
from tests.projects import write_yaml as write
from tests.service.building import job_of, loaded, parts_in
from tests.service.looking import look
from tests.snapshots import FileFormat

ROWS = 30
NOW = 1_780_272_000.0


@pytest.fixture
def project(tmp_path: Path) -> UsageProject:
    """Write a project all of whose endpoints read the files."""
    made = usage_project(tmp_path / "project", rows=ROWS)
    for name in ("usage_rows", "usage_by_account"):
        set_mode(made, name, "remote_scan")
    return made


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """Return an empty cache."""
    return Cache(tmp_path / "cache")


def set_mode(project: UsageProject, name: str, mode: str) -> None:
    """Change an endpoint's serving mode."""
    path = project.root / "endpoints" / f"{name}.yml"
    text = path.read_text(encoding="utf-8")
    kept = [line for line in text.splitlines() if not line.startswith("serving_mode")]
    path.write_text("\n".join([*kept, f"serving_mode: {mode}", ""]), encoding="utf-8")


def guard(project: UsageProject, **guards: object) -> None:
    """Give the dataset guards."""
    write(project.root / "datasets" / "usage.yml", {**usage_dataset(), "guards": guards})


def built(project: UsageProject, cache: Cache) -> Mapping[str, Any]:
    """Build the newest snapshot, in this process."""
    return builder.build(job_of(project.root, cache), now=NOW)


def segment_of(project: UsageProject, cache: Cache) -> Segment:
    """Open the parts of the newest snapshot."""
    found = loaded(project.root)
    manifest = look(found, found.catalog.datasets["usage"], cache).manifest
    part_ids = plan_parts(found.catalog, "usage", manifest).part_ids
    parts = [cache.part("usage", part_id).read_bytes() for part_id in part_ids]
    return open_segment(parts[0], parts[1:])


@pytest.mark.parametrize("file_format", ["parquet", "csv"])
def test_no_rows_are_built(project: UsageProject, cache: Cache, file_format: FileFormat) -> None:
    """Two parts: the columns without rows, and where the files lie."""
    publish(project, usage_table(ROWS), "s0002", files=3, file_format=file_format)
    outcome = built(project, cache)
    assert (outcome["ok"], outcome["row_count"]) == (True, ROWS)
    assert outcome["written_bytes"] == sum(one.stat().st_size for one in cached(cache))
    segment = segment_of(project, cache)
    assert segment.files is not None
    assert (segment.is_remote_only, segment.row_count, segment.files.row_count) == (True, 0, ROWS)
    folder = project.root / "data" / "s0002"
    assert [file.location for file in segment.files.files] == [
        str(folder / f"part-0000{number}.{file_format}") for number in range(3)
    ]
    assert {file.format for file in segment.files.files} == {file_format}
    assert not list(cache.downloads.glob("*"))


def cached(cache: Cache) -> list[Path]:
    """Return the parts in a cache."""
    return list(cache.root.glob("segments/usage/*"))


def test_an_endpoint_more_builds_what_it_needs(project: UsageProject, cache: Cache) -> None:
    """One that answers from memory has the rows built; the files part is written anew with them."""
    built(project, cache)
    set_mode(project, "usage_rows", "local_table")
    assert built(project, cache)["ok"]
    segment = segment_of(project, cache)
    assert (segment.row_count, segment.is_remote_only) == (ROWS, False)
    assert segment.files is not None
    before = parts_in(cache)
    set_mode(project, "usage_by_account", "local_table")
    built(project, cache)
    after = parts_in(cache)
    assert before.items() <= after.items()


def test_a_files_part_is_all_that_a_first_scan_needs(project: UsageProject, cache: Cache) -> None:
    """The rows that others answer from are not read again."""
    for name in ("usage_rows", "usage_by_account"):
        set_mode(project, name, "local_table")
    built(project, cache)
    before = parts_in(cache)
    set_mode(project, "usage_by_account", "remote_scan")
    assert built(project, cache)["ok"]
    new = set(parts_in(cache)) - set(before)
    assert len(new) == 1
    assert segment_of(project, cache).files is not None


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-8] + b"12345678")


def _other_rows(path: Path) -> None:
    import pyarrow.parquet as pa_parquet

    pa_parquet.write_table(usage_table(ROWS - 1), path)


def _other_types(path: Path) -> None:
    import pyarrow.parquet as pa_parquet

    made = usage_table(ROWS)
    place = made.schema.get_field_index("api_calls")
    texts = made["api_calls"].cast(pa.string())
    pa_parquet.write_table(made.set_column(place, "api_calls", texts), path)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda path: path.unlink(), "file_missing"),
        (_cut, "file_checksum_differs"),
    ],
)
def test_a_bad_file_is_refused(
    project: UsageProject, cache: Cache, spoil: Callable[[Path], None], code: str
) -> None:
    """As it is before a load; no columns part is left, so that it is looked at again."""
    spoil(project.root / "data" / "s0001" / "part-00000.parquet")
    outcome = built(project, cache)
    assert (outcome["ok"], outcome["code"], outcome["is_final"]) == (False, code, True)
    assert len(cached(cache)) <= 1


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (_cut, "file_unreadable"),
        (_other_rows, "file_row_count_differs"),
        (_other_types, "file_type_differs"),
    ],
)
@pytest.mark.parametrize("guards", [{}, {"not_null": ["api_calls"]}])
def test_footers_are_compared_with_the_manifest(
    project: UsageProject,
    cache: Cache,
    spoil: Callable[[Path], None],
    code: str,
    guards: dict[str, object],
) -> None:
    """Rows, columns and types, also where there is no checksum; with guards or without."""
    import json

    guard(project, **guards)
    path = project.root / "data" / "s0001" / "part-00000.parquet"
    spoil(path)
    document = json.loads(project.manifest_path.read_text(encoding="utf-8"))
    (entry,) = document["files"]
    del entry["xxh3_128"]
    document["size_bytes"] = entry["size_bytes"] = path.stat().st_size
    project.manifest_path.write_text(json.dumps(document), encoding="utf-8")
    outcome = built(project, cache)
    assert (outcome["ok"], outcome["code"]) == (False, code), outcome


@pytest.mark.parametrize(
    ("guards", "code"),
    [
        ({"min_rows": ROWS}, None),
        ({"min_rows": ROWS + 1}, "too_few_rows"),
        ({"not_null": ["region"]}, "null_values"),
        ({"not_null": ["api_calls", "account_id"]}, None),
        ({"unique": ["api_calls"]}, None),
        ({"unique": ["account_id", "region"]}, "duplicate_keys"),
    ],
)
@pytest.mark.parametrize("file_format", ["parquet", "csv"])
def test_guards_hold(
    project: UsageProject,
    cache: Cache,
    guards: dict[str, object],
    code: str | None,
    file_format: FileFormat,
) -> None:
    """Those of values read the columns they are about, and nothing of that is kept."""
    guard(project, **guards)
    publish(project, usage_table(ROWS), "s0002", files=2, file_format=file_format)
    assert built(project, cache).get("code") == code
    assert len(cached(cache)) == 2
