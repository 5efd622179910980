"""An endpoint is warned of when it can be called so that every row is read, and only then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from offloader.catalog.model import Catalog, Endpoint, Select
from offloader.errors import Problem
from offloader.segment.scan_warnings import SMALL_ROWS, scan_warnings
from tests.segment.test_access_path import PUBLIC, TENANTS, endpoint


def total(filters: str = "", *, required: str = "", combinations: tuple[str, ...] = ()) -> Endpoint:
    """Make an endpoint that sums."""
    made = endpoint(filters, required=required, combinations=combinations)
    return replace(made, select=(Select("calls", "calls", "sum"),), columns=("calls",))


def warned(asked: Endpoint, *, rows: int | None = None, is_scoped: bool = False) -> list[Problem]:
    """Return the warnings of a project with one endpoint, whose file is `endpoints/e.yml`."""
    dataset = TENANTS if is_scoped else PUBLIC
    catalog = Catalog(True, {"usage": dataset}, {"e": asked}, ())
    row_counts = {} if rows is None else {"usage": rows}
    return [*scan_warnings(catalog, {"e": "endpoints/e.yml"}, row_counts)]


@pytest.mark.parametrize(
    ("asked", "path", "message"),
    [
        (total("account:eq day:gte"), "params", "a call that sends none of account, day reads"),
        (
            total("account:eq", combinations=("account", "")),
            "combinations",
            "a call that sends none of account reads every row",
        ),
        (total(), "query", "it aggregates every row by nature"),
        (total("account:ne"), "query", "it aggregates every row by nature"),
        (endpoint("account:ne"), "query.filters", "ne looks at every row when account is sent"),
    ],
)
def test_what_can_only_scan_is_told_once(asked: Endpoint, path: str, message: str) -> None:
    """One warning an endpoint: the place in its file, what is wrong and what to do."""
    (warning,) = warned(asked)
    assert (warning.file, warning.path, warning.code) == (
        "endpoints/e.yml", path, "endpoint_scans"
    )  # fmt: skip
    assert warning.message.startswith(message)
    assert warning.hint


@pytest.mark.parametrize(
    "asked",
    [
        total("account:eq day:gte", required="account"),
        total("account:in day:gte", required="day"),
        total("account:eq", combinations=("account",)),
        endpoint(),
        endpoint(order_by="day"),
        endpoint("account:eq"),
        endpoint("account:ne region:eq", combinations=("region", "region account")),
        replace(total(), serving_mode="remote_scan"),
    ],
)
def test_what_a_path_or_a_page_serves_is_not(asked: Endpoint) -> None:
    """Something narrows every call, or a page of rows is read as they lie."""
    assert warned(asked) == []


def test_a_tenants_rows_are_never_a_scan() -> None:
    """There is a path that begins with the tenant, whatever the endpoint filters by."""
    assert warned(total("account:ne"), is_scoped=True) == []


def test_a_small_dataset_is_not_worth_a_warning() -> None:
    """A hundred thousand rows are looked at in the time that a request takes anyway."""
    assert warned(total(), rows=SMALL_ROWS) == []
    assert len(warned(total(), rows=SMALL_ROWS + 1)) == 1
