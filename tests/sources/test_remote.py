"""Snapshots in object stores: the same tables as from a directory, and the same refusals."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import google_crc32c
import pytest

from dev.emulators.gcs import GcsEmulator
from dev.emulators.s3 import S3Emulator
from offloader.catalog.manifest import ManifestInvalid, parse_manifest
from offloader.errors import SnapshotRefused, SourceUnavailable
from offloader.stores.access import Access
from offloader.stores.location import Location
from offloader.stores.open import Stores
from tests.snapshots import file_entry, manifest_document
from tests.sources.local_snapshots import publish_text, read_rows, refused
from tests.sources.remote_snapshots import BUCKET, Emulator, open_at, upload

COLUMNS = [("name", "VARCHAR"), ("calls", "INTEGER")]
TEXT = "name,calls\na,1\nb,2\n"
ROWS = [{"name": "a", "calls": 1}, {"name": "b", "calls": 2}]


@pytest.fixture(params=["gcs", "s3"])
def emulator(request: pytest.FixtureRequest) -> Emulator:
    found: Emulator = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "published"
    made.mkdir()
    return made


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    made = tmp_path / "spool"
    made.mkdir()
    return made


def write(folder: Path, name: str, *names: str) -> dict[str, Any]:
    """Write a CSV file of one row for each name; return its entry."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(["name,calls\n", *(f"{one},0\n" for one in names)]))
    return file_entry(path, folder, "csv", len(names))


def test_files_beside_the_manifest_are_read(emulator: Emulator, folder: Path, spool: Path) -> None:
    """In the manifest's order, also below it and with odd names; the spool is empty then."""
    names = ["z.csv", "day=2026-06-01/a b.csv", "./100%+ü.csv"]
    entries = [write(folder, name, f"in {name}") for name in names]
    entries[2]["path"] = names[2]
    at, arrived = upload(emulator, folder), list[int]()
    document = manifest_document("usage", COLUMNS, entries)
    stores = Stores(emulator.access)
    snapshot = open_at(at, document, stores, spool, on_download=arrived.append)
    assert [row["name"] for row in read_rows(snapshot)] == [f"in {name}" for name in names]
    assert arrived == [entry["size_bytes"] for entry in entries]
    assert list(spool.iterdir()) == []


def test_any_manifest_may_list_urls(
    gcs: GcsEmulator, s3: S3Emulator, folder: Path, spool: Path, tmp_path: Path
) -> None:
    """Beside files of its own directory or bucket, in any order; each store has its access."""
    stores = Stores(replace(s3.access, gcs_emulator_url=gcs.url))
    entries = [write(folder, name, name) for name in ("g.csv", "beside.csv", "s.csv")]
    in_gcs, in_s3 = upload(gcs, folder), upload(s3, folder)
    entries[0]["path"] = str(in_gcs.beside("g.csv"))
    entries[2]["path"] = str(in_s3.beside("s.csv"))
    document = manifest_document("usage", COLUMNS, entries)
    local = Location("file", str(folder), "manifest.json")
    for name in ("g.csv", "s.csv"):
        (folder / name).unlink()
    for at, root in ((local, folder), (in_gcs, None), (in_s3, None)):
        rows = read_rows(open_at(at, document, stores, spool, root=root))
        assert [row["name"] for row in rows] == ["g.csv", "beside.csv", "s.csv"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/etc/passwd", "path_absolute"),
        ("../other/part.csv", "path_leaves_project"),
        ("file:///etc/passwd", "url_unsupported"),
        ("http://127.0.0.1/part.csv", "url_unsupported"),
    ],
)
def test_no_manifest_names_a_file_of_this_machine(path: str, code: str) -> None:
    """Nor one above its own folder: such a manifest is refused before it is asked where it lies."""
    entry = {"path": path, "format": "csv", "row_count": 0, "size_bytes": 0}
    document = manifest_document("usage", COLUMNS, [entry])
    with pytest.raises(ManifestInvalid) as caught:
        parse_manifest(json.dumps(document).encode(), "manifest.json")
    assert [problem.code for problem in caught.value.problems] == [code]


def test_all_problems_are_found_before_anything_is_downloaded(
    emulator: Emulator, folder: Path, tmp_path: Path
) -> None:
    """Absent, short, or of another checksum by the store's word; nothing is written to the disk."""
    entries = [write(folder, name, "a") for name in ("absent.csv", "short.csv", "other.csv")]
    content = (folder / "other.csv").read_bytes()
    (folder / "absent.csv").unlink()
    (folder / "short.csv").write_text("name,calls\na,0")
    del entries[2]["xxh3_128"]
    if isinstance(emulator, GcsEmulator):
        right, entries[2]["crc32c"] = f"{google_crc32c.value(content):08x}", "0" * 8
        message = f"its crc32c is {right}, the manifest says 00000000"
    else:
        right, entries[2]["md5"] = hashlib.md5(content).hexdigest(), "0" * 32
        message = f"its md5 is {right}, the manifest says {'0' * 32}"
    at, document = upload(emulator, folder), manifest_document("usage", COLUMNS, entries)
    with pytest.raises(SnapshotRefused) as caught:
        open_at(at, document, Stores(emulator.access), tmp_path / "never made")
    assert [(one.file, one.code, one.message) for one in caught.value.problems] == [
        ("absent.csv", "file_missing", "it does not exist"),
        ("other.csv", "file_checksum_differs", message),
        ("short.csv", "file_size_differs", "it has 14 bytes, the manifest says 15"),
    ]


@pytest.mark.parametrize("algorithm", ["sha256", "xxh3_128", "md5", "crc32c"])
def test_the_manifests_checksum_is_compared(
    emulator: Emulator, folder: Path, spool: Path, algorithm: str
) -> None:
    """By the store's word or else after the download; the spool is empty then."""
    document = publish_text(folder, TEXT, 2, COLUMNS)
    entry, at = document["files"][0], upload(emulator, folder)
    digits = len(entry.pop("xxh3_128")) if algorithm == "xxh3_128" else None
    entry.pop("xxh3_128", None)
    entry[algorithm] = "0" * (digits or {"sha256": 64, "md5": 32, "crc32c": 8}[algorithm])
    with refused("file_checksum_differs"):
        read_rows(open_at(at, document, Stores(emulator.access), spool))
    assert list(spool.iterdir()) == []


def test_a_file_that_was_overwritten_is_not_read(
    emulator: Emulator, folder: Path, spool: Path
) -> None:
    """Between the look and the read, in mid-load, by the same number of bytes, or removed."""
    entries = [write(folder, f"{number}.csv", f"{number}") for number in range(4)]
    document = manifest_document("usage", COLUMNS, entries)
    stores, at = Stores(emulator.access), upload(emulator, folder)
    tables = open_at(at, document, stores, spool, spool_bytes=1).tables()
    assert next(tables).to_pydict() == {"name": ["0"], "calls": [0]}
    emulator.put(BUCKET, at.beside("3.csv").key, b"name,calls\nx,0\n")
    with pytest.raises(SourceUnavailable) as caught:
        list(tables)
    assert (caught.value.code, caught.value.message) == (
        "file_changed",
        "3.csv changed while it was read",
    )
    snapshot = open_at(at, document, stores, spool)
    emulator.delete(BUCKET, at.beside("0.csv").key)
    with pytest.raises(SourceUnavailable) as caught:
        list(snapshot.tables())
    assert caught.value.code == "file_changed"
    assert list(spool.iterdir()) == []


def test_a_store_that_is_down_is_no_fault_of_the_snapshot(tmp_path: Path) -> None:
    """What cannot be asked is tried again later, whatever else is wrong."""
    entry = {"path": "part.csv", "format": "csv", "row_count": 0, "size_bytes": 0}
    document = manifest_document("usage", COLUMNS, [entry])
    at = Location("gs", "snapshots", "p/manifest.json")
    with pytest.raises(SourceUnavailable) as caught:
        open_at(at, document, Stores(Access(gcs_auth="bearer")), tmp_path)
    assert caught.value.code == "credentials_missing"
