"""Which columns an answer has, of which type, and which of them may be null."""

from __future__ import annotations

from offloader.catalog.model import Catalog
from offloader.service.apidocs.columns import answer_columns

_ROWS = {
    "account": ("VARCHAR", False),
    "seats": ("INTEGER", True),
    "calls": ("BIGINT", False),
    "ratio": ("DOUBLE", True),
    "amount": ("DECIMAL(18,2)", True),
    "is_paid": ("BOOLEAN", True),
    "day": ("DATE", True),
    "seen_at": ("TIMESTAMP", True),
    "extra": ("JSON", True),
}
_TOTALS = {
    "account": ("VARCHAR", False),
    "calls_sum": ("DECIMAL(38,0)", False),
    "seats_sum": ("BIGINT", True),
    "amount_sum": ("DECIMAL(38,2)", True),
    "ratio_sum": ("DOUBLE", True),
    "calls_avg": ("DOUBLE", True),
    "last_day": ("DATE", True),
    "first_seen": ("TIMESTAMP", True),
    "days": ("BIGINT", False),
    "plans": ("BIGINT", False),
}


def test_plain_columns_keep_their_types(catalog: Catalog) -> None:
    """A guard says what is never null; a double may be no number, and is null then."""
    assert _told(catalog, "rows") == _ROWS


def test_aggregates_have_types_of_their_own(catalog: Catalog) -> None:
    """A group has a row at least, so a sum of what is never null is none either."""
    assert _told(catalog, "totals") == _TOTALS


def test_a_total_over_no_row_is_null(catalog: Catalog) -> None:
    """Whatever the guards say of the rows; a count is 0."""
    assert _told(catalog, "whole") == {
        "calls_sum": ("DECIMAL(38,0)", True),
        "rows": ("BIGINT", False),
    }


def _told(catalog: Catalog, name: str) -> dict[str, tuple[str, bool]]:
    endpoint = catalog.endpoints[name]
    columns = answer_columns(catalog.datasets[endpoint.dataset], endpoint)
    return {column.name: (str(column.type), column.is_nullable) for column in columns}
