"""Fixtures of the segment layer's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.segment.tables import Table, build_files, table, texts_of


@pytest.fixture
def usage() -> Table:
    """Five rows of every type, with nulls in all columns but the tenant's."""
    contract = (
        "tenant VARCHAR, account VARCHAR, day DATE, calls BIGINT, units INTEGER, cost DOUBLE,"
        " price DECIMAL(9,2), total DECIMAL(38,6), active BOOLEAN, seen TIMESTAMP, extra JSON"
    )
    rows: list[tuple[bool | int | float | str | None, ...]] = [
        ("globex", "b", 19_001, 5, -5, 0.5, 1999, 10**30, True, 1_000_001, '{"a":1}'),
        ("acme", "ä", 19_000, 7, 7, -1.25, -1, -(10**30), False, 0, "[1,2]"),
        ("globex", "a", 19_002, 2**62, 0, 2.0, 0, 0, None, -5, None),
        ("acme", "a", None, None, None, None, None, None, True, None, '"x"'),
        ("acme", None, 19_000, 1, 1, 1e300, 5, 5, False, 7, "null"),
    ]
    return table(contract, rows, "tenant")


@pytest.fixture
def parts(usage: Table, tmp_path: Path) -> dict[str, bytes]:
    """The bytes of a part of each kind over `usage`."""
    path = ("tenant", "account", "day")
    _, targets = build_files(tmp_path, usage, [path], texts=[texts_of(usage, *path)])
    return {
        "columns": targets.columns.read_bytes(),
        "path": targets.paths[0][1].read_bytes(),
        "texts": targets.texts[0][1].read_bytes(),
    }
