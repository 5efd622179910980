"""Guards: bounds a snapshot must keep, each at its exact edge."""

from __future__ import annotations

from typing import Any

import pytest

from offloader.catalog.guards import check_guards
from offloader.catalog.model import Guards
from offloader.errors import Problem

MINUTE = 60_000_000


def _codes(guards: Guards, **numbers: Any) -> list[tuple[str, str]]:
    facts: dict[str, Any] = {
        "row_count": 100,
        "previous_row_count": None,
        "watermark": 0,
        "now": 0,
        "null_counts": {},
        "duplicate_keys": None,
    }
    return [(p.path, p.code) for p in check_guards(guards, **(facts | numbers))]


def test_no_guard_refuses_nothing() -> None:
    """Without guards any numbers pass."""
    assert _codes(Guards(), row_count=0, previous_row_count=100, now=10**15) == []


def test_min_rows_is_inclusive() -> None:
    """Exactly the minimum is enough."""
    assert _codes(Guards(min_rows=100)) == []
    assert _codes(Guards(min_rows=101)) == [("guards.min_rows", "too_few_rows")]


@pytest.mark.parametrize(
    ("previous", "row_count", "codes"),
    [
        (1000, 900, []),
        (1000, 899, ["row_count_dropped"]),
        (1000, 0, ["row_count_dropped"]),
        (1000, 1200, []),
        (1000, 1201, ["row_count_grew"]),
        (0, 0, []),
        (0, 1, ["row_count_grew"]),
        (None, 10**9, []),
    ],
)
def test_change_is_measured_against_the_previous_rows(
    previous: int | None, row_count: int, codes: list[str]
) -> None:
    """10 % less and 20 % more are allowed, exactly; from 0 rows any growth is beyond a percent."""
    guards = Guards(max_row_drop_percent=10, max_row_growth_percent=20)
    found = _codes(guards, previous_row_count=previous, row_count=row_count)
    assert [code for _, code in found] == codes


def test_a_bound_of_zero_percent_is_a_bound() -> None:
    """0 means no change in that direction, it does not mean no bound."""
    guards = Guards(max_row_drop_percent=0)
    assert _codes(guards, previous_row_count=101) == [
        ("guards.max_row_drop_percent", "row_count_dropped")
    ]


def test_age_is_measured_from_the_watermark() -> None:
    """A snapshot is too old one microsecond after the limit; the future is not old."""
    guards = Guards(max_age_minutes=2.5)
    assert _codes(guards, now=150 * MINUTE // 60) == []
    assert _codes(guards, now=150 * MINUTE // 60 + 1) == [("guards.max_age_minutes", "too_old")]
    assert _codes(guards, watermark=10 * MINUTE) == []


def test_keys_must_not_repeat() -> None:
    """One repeated key is one too many."""
    guards = Guards(unique=("account_id", "day"))
    assert _codes(guards, duplicate_keys=0) == []
    assert _codes(guards, duplicate_keys=1) == [("guards.unique", "duplicate_keys")]


def test_a_forgotten_count_of_duplicates_is_a_mistake_in_the_caller() -> None:
    """A guard is never skipped in silence."""
    with pytest.raises(ValueError, match="duplicate_keys is needed"):
        _codes(Guards(unique=("account_id",)))


def test_nulls_are_counted_by_column() -> None:
    """Each column of `not_null` is reported by its place in the list."""
    guards = Guards(not_null=("a", "b", "c"))
    assert _codes(guards, null_counts={"a": 1, "b": 0, "c": 7}) == [
        ("guards.not_null[0]", "null_values"),
        ("guards.not_null[2]", "null_values"),
    ]


def test_all_breaches_are_reported_with_what_to_do() -> None:
    """A problem says the numbers, the bound and the remedy."""
    found = check_guards(
        Guards(min_rows=50, max_row_drop_percent=12.5),
        row_count=10,
        previous_row_count=20,
        watermark=0,
        now=0,
        null_counts={},
        duplicate_keys=None,
        file="usage",
    )
    hint = "publish a repaired snapshot, or loosen the guard if this is right"
    drop = "20 rows became 10, a drop of more than 12.5 %"
    assert found == [
        Problem("usage", "guards.min_rows", "too_few_rows", "10 rows, at least 50 wanted", hint),
        Problem("usage", "guards.max_row_drop_percent", "row_count_dropped", drop, hint),
    ]
