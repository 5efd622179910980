"""Read what one request needs out of a snapshot's files, into a segment in memory.

Imports pyarrow: for `remote_scan` alone, which imports this when it is needed.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from offloader.catalog.model import Endpoint
from offloader.errors import SnapshotError
from offloader.query.params import Bound
from offloader.query.plan import Plan
from offloader.segment.build_transient import TransientSegment
from offloader.segment.read import Segment
from offloader.service.worker.refusals import scan_timeout, scan_too_large, source_unavailable
from offloader.service.worker.scan_request import needed_of
from offloader.sources.footers import Footers
from offloader.sources.scan import Scanner
from offloader.sources.scan_bounds import (
    FileChangedError,
    Scan,
    ScanLimits,
    ScanTimeoutError,
    ScanTooLargeError,
)
from offloader.stores.access import Access
from offloader.stores.open import Stores
from offloader.stores.patient import Patience
from offloader.stores.store import ObjectChanged, ObjectMissing

FOOTERS_BYTES = 64 << 20
RANGES_AT_ONCE = 8
# Somebody waits: who gives up soon lets them try again, and others take the thread.
PATIENCE = Patience(attempts=3, most_seconds=1.0, asked_seconds=2.0, deadline_seconds=10.0)


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The rows one request needs, in source order, and the part of its endpoint they answer."""

    endpoint: Endpoint
    segment: Segment
    rows_read: int
    bytes_read: int


class Reading:
    """A worker's open stores and the footers it keeps. Any thread may use it."""

    def __init__(self, scanner: Scanner, limits: ScanLimits) -> None:
        self._scanner = scanner
        self._limits = limits

    @classmethod
    def open(cls, access: Access, seconds: float) -> Reading:
        """Return one that opens stores as they are needed."""
        pool = ThreadPoolExecutor(RANGES_AT_ONCE, thread_name_prefix="range")
        scanner = Scanner(Stores(access, PATIENCE), Footers(FOOTERS_BYTES), pool)
        return cls(scanner, ScanLimits(seconds=seconds))

    def read(self, plan: Plan, bound: Bound, tenant: str | None) -> Found:
        """Return what answering a bound request needs; raises ScanRefused, caused by what it is."""
        needed = needed_of(plan, bound, tenant)
        scan = Scan(needed.request, self._limits)
        rows = TransientSegment(needed.request.columns, plan.segment)
        files = plan.segment.files
        assert files is not None
        if not needed.is_nothing:
            try:
                for table in self._scanner.tables(files, scan):
                    rows.add(table)
            except ScanTimeoutError as error:
                raise scan_timeout() from error
            except (ScanTooLargeError, MemoryError) as error:
                raise scan_too_large() from error
            except (ObjectMissing, ObjectChanged, FileChangedError) as error:
                raise source_unavailable("changed") from error
            except SnapshotError as error:
                raise source_unavailable("unavailable") from error
        return Found(needed.endpoint, rows.finish(), scan.rows_read, scan.bytes_read)
