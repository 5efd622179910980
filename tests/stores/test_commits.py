"""A Databricks folder in each kind of bucket: its newest commit and the manifest made of it."""

from __future__ import annotations

import hashlib
import json

import google_crc32c
import pytest
from google.cloud.storage import Blob

from dev.emulators import GcsEmulator, S3Emulator
from offloader.sources.commit_describe import describe_commit
from offloader.sources.databricks import newest_commit
from offloader.stores.gcs import _found
from offloader.stores.location import parse_url
from offloader.stores.open import Stores
from tests.sources.commits import marker_text, parquet_bytes, part_name

TID = "7315066556330505739"


@pytest.mark.parametrize("kind", ["gcs", "s3"])
def test_a_commit_in_a_bucket_is_found_and_described(
    kind: str, bucket: str, request: pytest.FixtureRequest
) -> None:
    """By the store's own client; the store's checksum is the file's where it states one."""
    emulator: GcsEmulator | S3Emulator = request.getfixturevalue(kind)
    folder = parse_url(emulator.make_bucket(bucket)).below("export/usage")
    raw = parquet_bytes({"account": ["a", "b"], "calls": [1, 2]})
    emulator.put(bucket, f"{folder.key}/{part_name(TID)}", raw)
    emulator.put(bucket, f"{folder.key}/_committed_{TID}", marker_text([part_name(TID)]).encode())
    emulator.put(bucket, f"{folder.key}/_committed_vacuum77", marker_text([]).encode())
    emulator.put(bucket, f"{folder.key}_2/_committed_99", marker_text(["x"]).encode())

    store = Stores(emulator.access).at(folder)
    commit = newest_commit(store, folder.key)
    assert (commit.tid, commit.added) == (TID, (part_name(TID),))
    manifest = json.loads(describe_commit(store, folder.key, commit, dataset_id="usage"))
    file = {"path": part_name(TID), "format": "parquet", "row_count": 2, "size_bytes": len(raw)}
    assert manifest["files"] == [file | _checksum(kind, raw)]
    assert manifest["snapshot_id"] == f"tid_{TID}"


def _checksum(kind: str, raw: bytes) -> dict[str, str]:
    if kind == "gcs":
        return {"crc32c": f"{google_crc32c.value(raw):08x}"}
    return {"md5": hashlib.md5(raw, usedforsecurity=False).hexdigest()}


def test_a_marker_is_as_old_as_its_bytes() -> None:
    """A label or another storage class, given to it later, makes no commit the newest."""
    blob = Blob(f"_committed_{TID}", None)
    written, labelled = "2026-01-01T00:00:00.5Z", "2026-06-01T00:00:00Z"
    stated = {"timeCreated": written, "updated": labelled, "size": "5", "generation": "7"}
    blob._set_properties(stated)
    assert _found(blob).modified_at == 1_767_225_600.5
