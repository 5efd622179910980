"""Check a snapshot's numbers against the dataset's guards. Pure.

    code                   the snapshot …
    too_few_rows           has fewer rows than min_rows
    row_count_dropped      lost more than max_row_drop_percent of the active snapshot's rows
    row_count_grew         gained more than max_row_growth_percent; from 0 rows any growth is more
    too_old                has a watermark older than max_age_minutes
    duplicate_keys         has rows that repeat a key of `unique`
    null_values            has nulls in a column of `not_null`

Numbers come from the build: nothing here sees a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from offloader.catalog.model import Guards
from offloader.errors import Problem

_MICROSECONDS_A_MINUTE = 60_000_000
_OR_LOOSEN = "publish a repaired snapshot, or loosen the guard if this is right"


def check_guards(
    guards: Guards,
    *,
    row_count: int,
    previous_row_count: int | None,
    watermark: int,
    now: int,
    null_counts: Mapping[str, int],
    duplicate_keys: int | None,
    file: str = "snapshot",
) -> list[Problem]:
    """Return every guard that a snapshot breaks.

    `watermark` and `now` are microseconds since 1970-01-01T00:00:00Z. `previous_row_count` is
    None when nothing is served yet: bounds against it then hold. `null_counts` must have every
    column of `not_null`. `duplicate_keys` is the number of rows that repeat an earlier key;
    raises ValueError when it is None and `unique` is set. `file` is how problems name it.
    """
    return [
        Problem(file, f"guards.{path}", code, message, _OR_LOOSEN)
        for path, code, message in (
            *_check_rows(guards, row_count),
            *_check_change(guards, row_count, previous_row_count),
            *_check_age(guards, watermark, now),
            *_check_keys(guards, duplicate_keys),
            *_check_nulls(guards, null_counts),
        )
    ]


_Breach = tuple[str, str, str]


def _check_rows(guards: Guards, row_count: int) -> list[_Breach]:
    if guards.min_rows is None or row_count >= guards.min_rows:
        return []
    return [("min_rows", "too_few_rows", f"{row_count} rows, at least {guards.min_rows} wanted")]


def _check_change(guards: Guards, row_count: int, previous: int | None) -> list[_Breach]:
    if previous is None:
        return []
    what = f"{previous} rows became {row_count}"
    breaches = []
    if _is_beyond(previous - row_count, previous, guards.max_row_drop_percent):
        message = f"{what}, a drop of more than {guards.max_row_drop_percent:g} %"
        breaches.append(("max_row_drop_percent", "row_count_dropped", message))
    if _is_beyond(row_count - previous, previous, guards.max_row_growth_percent):
        message = f"{what}, a growth of more than {guards.max_row_growth_percent:g} %"
        breaches.append(("max_row_growth_percent", "row_count_grew", message))
    return breaches


def _is_beyond(change: int, previous: int, percent: float | None) -> bool:
    return percent is not None and change * 100 > Fraction(percent) * previous


def _check_age(guards: Guards, watermark: int, now: int) -> list[_Breach]:
    if guards.max_age_minutes is None:
        return []
    age_minutes = Fraction(now - watermark, _MICROSECONDS_A_MINUTE)
    if age_minutes <= Fraction(guards.max_age_minutes):
        return []
    limit = f"at most {guards.max_age_minutes:g} wanted"
    return [("max_age_minutes", "too_old", f"{int(age_minutes)} minutes old, {limit}")]


def _check_keys(guards: Guards, duplicate_keys: int | None) -> list[_Breach]:
    if not guards.unique:
        return []
    if duplicate_keys is None:
        raise ValueError("duplicate_keys is needed: the guard `unique` is set")
    if not duplicate_keys:
        return []
    key = ", ".join(guards.unique)
    return [("unique", "duplicate_keys", f"{duplicate_keys} rows repeat the key ({key})")]


def _check_nulls(guards: Guards, null_counts: Mapping[str, int]) -> list[_Breach]:
    return [
        (f"not_null[{index}]", "null_values", f"{null_counts[name]} nulls in `{name}`")
        for index, name in enumerate(guards.not_null)
        if null_counts[name]
    ]
