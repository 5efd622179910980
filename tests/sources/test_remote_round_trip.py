"""Property: it makes no difference to a segment where its snapshot lay."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from dev.emulators.gcs import GcsEmulator
from dev.emulators.s3 import S3Emulator
from offloader.catalog.manifest import parse_manifest
from offloader.segment.build import PartTargets, build_segment
from offloader.segment.facts import SnapshotFacts
from offloader.sources.snapshot import Snapshot
from offloader.stores.open import Stores
from tests.sources.local_snapshots import open_document, publish_tables
from tests.sources.remote_snapshots import open_at, upload
from tests.sources.strategies import FLAT, Sample, nested, tables

FACTS = SnapshotFacts("usage", "s0001", "d" * 32, 0, 0)


def _part(snapshot: Snapshot, path: Path) -> bytes:
    build_segment(snapshot.tables(), snapshot.columns, None, PartTargets(path), FACTS)
    return path.read_bytes()


def _document(folder: Path, samples: list[Sample], cut: int) -> Mapping[str, Any]:
    names = [f"c{index}" for index in range(len(samples))]
    table = pa.table(dict(zip(names, [sample.array for sample in samples], strict=True)))
    columns = [(name, sample.kind) for name, sample in zip(names, samples, strict=True)]
    document = publish_tables(folder, [table.slice(0, cut), table.slice(cut)], columns)
    assert parse_manifest(json.dumps(document).encode(), "manifest.json").row_count == len(table)
    return document


@settings(max_examples=10)
@given(samples=tables((*FLAT, nested)), cut=st.integers(0, 3), spool_bytes=st.integers(0, 5000))
def test_the_bytes_of_a_segment_do_not_tell_where_it_came_from(
    gcs: GcsEmulator, s3: S3Emulator, samples: list[Sample], cut: int, spool_bytes: int
) -> None:
    """A directory, GCS and S3 give the same part, byte for byte."""
    stores = Stores(replace(s3.access, gcs_emulator_url=gcs.url))
    with TemporaryDirectory() as name:
        published, made = Path(name, "published"), Path(name, "made")
        published.mkdir()
        made.mkdir()
        document = _document(published, samples, cut)
        local = _part(open_document(published, document), made / "local")
        for emulator in (gcs, s3):
            at = upload(emulator, published)
            remote = open_at(at, document, stores, made, spool_bytes=spool_bytes)
            assert _part(remote, made / at.scheme) == local
