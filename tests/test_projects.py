"""The project factory itself: what it writes is what a test may rely on."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pa_parquet
import pytest
import xxhash
import yaml

from tests.projects import publish, token_hash, usage_project, usage_table
from tests.snapshots import FileFormat


def test_values_follow_from_the_row_number() -> None:
    """Row i is computable by hand, so tests can state exact answers."""
    row = usage_table(14).to_pylist()[13]
    assert (row["tenant_id"], row["account_id"]) == ("tenant_1", "acct_4")
    assert (row["usage_date"], row["region"]) == (date(2026, 1, 14), None)
    assert (row["api_calls"], row["storage_gb"], row["amount"]) == (13, 3.25, Decimal("0.13"))


def test_the_keys_file_holds_hashes_only(tmp_path: Path) -> None:
    """A token is never written, only its SHA-256."""
    project = usage_project(tmp_path, rows=3, tenants=2)
    text = (tmp_path / "keys" / "keys.yml").read_text()
    hashes = [key["hash"] for key in yaml.safe_load(text)["keys"]]
    assert hashes == [token_hash(token) for token in project.tokens.values()]
    assert not any(token in text for token in project.tokens.values())


@pytest.mark.parametrize("file_format", ["parquet", "csv"])
def test_a_manifest_states_its_files_truly(tmp_path: Path, file_format: FileFormat) -> None:
    """Sizes, row counts and checksums of the manifest are those of the files."""
    project = usage_project(tmp_path, rows=5)
    publish(project, usage_table(10), "2026-06-02T00:00:00Z_r2", files=3, file_format=file_format)
    manifest = json.loads(project.manifest_path.read_text())
    contents = [(tmp_path / "data" / file["path"]).read_bytes() for file in manifest["files"]]
    assert [file["row_count"] for file in manifest["files"]] == [3, 3, 4]
    assert [file["size_bytes"] for file in manifest["files"]] == [len(c) for c in contents]
    assert [file["xxh3_128"] for file in manifest["files"]] == [
        xxhash.xxh3_128_hexdigest(content) for content in contents
    ]
    assert (manifest["row_count"], manifest["snapshot_id"]) == (10, "2026-06-02T00:00:00Z_r2")


def test_publishing_again_keeps_the_older_files(tmp_path: Path) -> None:
    """A snapshot that is still read is never overwritten by the next."""
    project = usage_project(tmp_path, rows=4)
    publish(project, usage_table(6), "s0002")
    assert pa_parquet.read_table(tmp_path / "data" / "s0001" / "part-00000.parquet").num_rows == 4
    assert pa_parquet.read_table(tmp_path / "data" / "s0002" / "part-00000.parquet").num_rows == 6
