"""What `offloader snapshot status` prints: one row a dataset, and below it what went wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

HEADINGS = (
    "DATASET", "STATE", "SNAPSHOT", "AGE", "PREVIOUS", "PINNED", "ROLLED BACK", "QUARANTINED",
)  # fmt: skip
NOTHING = "-"
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def status_lines(datasets: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines of a table, given what `/diagnostics` says of each dataset."""
    rows = [HEADINGS, *(_row(name, datasets[name]) for name in sorted(datasets))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(padded).rstrip()
    for name in sorted(datasets):
        yield from _error_lines(name, datasets[name].get("last_attempt"))


def printable(text: object) -> str:
    """Return a text for one line of a terminal: what would move its cursor is escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))


def age_text(seconds: float) -> str:
    """Return an age in its largest unit: `42 s`, `5 min`, `3 h`, `12 d`."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def _row(name: str, told: Mapping[str, Any]) -> tuple[str, ...]:
    freshness, pin = told.get("freshness"), told.get("pinned")
    marks = sorted(told.get("quarantined_snapshots") or (), key=lambda mark: str(mark["at"] or ""))
    is_stale = ", stale" if freshness and freshness["stale"] else ""
    cells = (
        name,
        told.get("state"),
        told.get("snapshot_id"),
        age_text(freshness["age_seconds"]) + is_stale if freshness else None,
        (told.get("previous") or {}).get("snapshot_id"),
        f"{pin['snapshot_id']} by {pin['by']}" if pin else None,
        _listed(told.get("rolled_back") or ()),
        _listed([mark["snapshot_id"] for mark in marks]),
    )
    return tuple(printable(cell) if cell else NOTHING for cell in cells)


def _listed(snapshot_ids: Sequence[str]) -> str:
    """Return the newest, which is last, and how many more there are."""
    if len(snapshot_ids) < 2:
        return "".join(snapshot_ids)
    return f"{snapshot_ids[-1]} +{len(snapshot_ids) - 1}"


def _error_lines(name: str, attempt: Mapping[str, Any] | None) -> Iterator[str]:
    if not attempt or not attempt.get("code"):
        return
    snapshot = f" {attempt['snapshot_id']}" if attempt.get("snapshot_id") else ""
    yield printable(f"{name}:{snapshot} [{attempt['code']}] {attempt['message']}")
    if attempt.get("hint"):
        yield printable(f"    hint: {attempt['hint']}")
