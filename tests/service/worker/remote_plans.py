"""Plans over files in a folder: the same rows as a segment in memory, and as a remote scan."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pa_parquet

from offloader.catalog.model import Column
from offloader.query.encode import encode_json
from offloader.query.execute import run
from offloader.query.params import Bound
from offloader.query.plan import Plan, compile_plan
from offloader.segment.read import Segment
from offloader.segment.remote_files import PinnedFile, RemoteFiles
from offloader.service.worker.scan_reading import Found, Reading
from offloader.sources.footers import Footers
from offloader.sources.scan import Scanner, location_of
from offloader.sources.scan_bounds import ScanLimits
from offloader.stores.access import Access
from offloader.stores.open import Stores

THREADS = 2


def reading(stores: Stores | None = None, **limits: float) -> Reading:
    """Return what reads files of a folder, or of other stores."""
    scanner = Scanner(stores or Stores(Access()), Footers(1 << 20), ThreadPoolExecutor(THREADS))
    return Reading(scanner, ScanLimits(**limits))  # type: ignore[arg-type]


def pinned(path: Path) -> PinnedFile:
    """Pin a file as it is now."""
    place = location_of(str(path))
    found = Stores(Access()).at(place).stat(place.key)
    is_csv = path.suffix == ".csv"
    rows = 0 if is_csv else pa_parquet.read_metadata(path).num_rows
    form = "csv" if is_csv else "parquet"
    return PinnedFile(str(path), form, found.version, found.size_bytes, rows)


def remote_plan(plan: Plan, columns: Sequence[Column], files: Iterable[Path]) -> Plan:
    """Return the same endpoint as a remote scan of these files, over an empty segment."""
    listed = RemoteFiles(tuple(columns), tuple(pinned(path) for path in files))
    segment = replace(plan.segment, files=listed, paths=(), texts=(), ordinal=None)
    return compile_plan(plan.dataset, plan.endpoint, segment)


def scanned(plan: Plan, bound: Bound, tenant: str | None, by: Reading) -> tuple[bytes, Found]:
    """Return the JSON body of a remote scan, and what it read."""
    found = by.read(plan, bound, tenant)
    over = compile_plan(plan.dataset, found.endpoint, found.segment)
    return encode_json(over, bound, run(over, bound, tenant), stale=False), found


def local_body(plan: Plan, bound: Bound, tenant: str | None) -> bytes:
    """Return the JSON body out of a segment."""
    return encode_json(plan, bound, run(plan, bound, tenant), stale=False)


def is_of(segment: Segment, names: Sequence[str]) -> bool:
    """Tell whether a segment has these columns and no others."""
    return list(segment.columns) == list(names)
