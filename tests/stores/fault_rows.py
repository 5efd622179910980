"""The table of faults in docs/object-stores.md: what is broken, and what must come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dev.emulators.fault_rules import Fault

OPERATIONS = ("stat", "list", "read", "small", "download", "write")


@dataclass(frozen=True, slots=True)
class Row:
    """A fault that lasts until the test ends it, and the words of the table about it.

    `codes` says with which code which of the OPERATIONS ends while it lasts; those that are not
    named go well in spite of it. A key such as `s3 stat` is for one kind of store. `operations` are
    those that are tried, `mended` those that go well when it hits two requests only, None: all.
    """

    name: str
    fault: Fault
    behaviour: str
    codes: Mapping[str, str] = field(default_factory=dict)
    operations: tuple[str, ...] = OPERATIONS
    mended: tuple[str, ...] | None = None

    @property
    def passing(self) -> tuple[str, ...]:
        """The operations that go well when it hits two requests only."""
        return self.operations if self.mended is None else self.mended

    def code(self, family: str, operation: str) -> str | None:
        """Return how an operation ends while the fault lasts, None: as if there was none."""
        return self.codes.get(f"{family} {operation}", self.codes.get(operation))


def _all(code: str) -> dict[str, str]:
    return dict.fromkeys(OPERATIONS, code)


ROWS: tuple[Row, ...] = (
    Row(
        "slow answers",
        Fault(latency_seconds=0.02, chunk_seconds=0.001),
        "it takes longer",
    ),
    Row(
        "no answer at all",
        Fault(hang=True),
        "given up 20 s after the last byte, then tried again",
        _all("store_unreachable"),
        operations=("stat", "download", "write"),
    ),
    Row(
        "connections refused",
        Fault(refuse=True),
        "tried again",
        _all("store_unreachable"),
        mended=(),  # nobody hears a connection that is refused: there are no two of them
    ),
    Row(
        "connection reset in mid-body",
        Fault(reset_after=1_500_000),
        "goes on after the last piece that arrived, in the same version",
    ),
    Row(
        "connection reset instead of an answer",
        Fault(drop=True),
        "tried again; an object that was written all the same is not written twice",
        _all("store_unreachable"),
    ),
    Row(
        "body cut short",
        Fault(truncate_after=1_500_000),
        "goes on at the byte where it ended",
    ),
    Row(
        "Content-Length too small",
        Fault(kinds=("read",), length_offset=-3, chunk_seconds=0.1),
        "not read, asked for again on another connection",
        dict.fromkeys(("read", "small", "download"), "object_cut_short"),
    ),
    Row(
        "Content-Length too large",
        Fault(kinds=("read",), length_offset=3),
        "all bytes came, so nothing",
    ),
    Row(
        "429 or 503 with Retry-After",
        Fault(status=429, retry_after="0.02"),
        "tried again, not before the time that is asked for",
        _all("store_busy"),
    ),
    Row(
        "500 or 503 without it",
        Fault(status=503),
        "tried again",
        _all("store_busy"),
    ),
    Row(
        "401 or 403",
        Fault(status=403),
        "not tried again by the same call",
        _all("store_denied"),
        mended=(),
    ),
    Row(
        "a byte changed on the way",
        Fault(kinds=("read",), flip_at=1_000),
        "the checksum tells: downloaded once more from the start",
        {"download": "object_checksum_differs", "https download": "object_content_differs"},
        operations=("download",),
    ),
    Row(
        "an older list again",
        Fault(kinds=("list",), stale=True),
        "the listed version is gone: nothing is read in its place",
        {"read": "object_changed", "download": "object_changed"},
        operations=("list", "read", "download"),
    ),
    Row(
        "the store's clock is hours off",
        Fault(clock_seconds=6 * 3600.0),
        "versions are compared and not times, so nothing",
    ),
)
