"""The tenant filter comes from the key, and nothing a caller sends can widen it."""

from __future__ import annotations

import pytest

from offloader.catalog.model import Param
from tests.query.serving import Served, serve

ROWS = [("a", 1), ("b", 2), (None, 3), ("a", 4), ("b", 5), ("", 6)]


@pytest.fixture(params=["path", "scan"])
def served(request: pytest.FixtureRequest) -> Served:
    return serve(
        "tenant VARCHAR, number INTEGER",
        ROWS,
        tenant="tenant",
        where=[("tenant", "eq", Param("t", "string")), ("tenant", "ne", Param("other", "string"))],
        paths=None if request.param == "path" else [],
    )


def test_a_tenant_sees_its_rows_only(served: Served) -> None:
    """Rows of other tenants and of none are not there, in source order."""
    assert served.rows(tenant="a") == [("a", 1), ("a", 4)]
    assert served.rows(tenant="b") == [("b", 2), ("b", 5)]
    assert served.rows(tenant="") == [("", 6)]


@pytest.mark.parametrize("tenant", ["c", "A", "a ", "a,b", "a%", "null", None])
def test_an_unknown_tenant_sees_nothing(served: Served, tenant: str | None) -> None:
    """No tenant at all is no way around the filter either."""
    assert served.rows(tenant=tenant) == []


def test_params_on_the_tenant_column_only_narrow(served: Served) -> None:
    """Asking for another tenant's rows answers none, asking for one's own all of one's own."""
    assert served.rows("t=b", tenant="a") == []
    assert served.rows("t=a", tenant="a") == [("a", 1), ("a", 4)]
    assert served.rows("other=b", tenant="a") == [("a", 1), ("a", 4)]
    assert served.rows("other=a", tenant="a") == []


@pytest.mark.parametrize("contract", ["INTEGER", "BIGINT"])
def test_a_number_can_be_a_tenant(contract: str) -> None:
    """The key's text is read as a plain integer; any other text is nobody."""
    rows = [(7, 1), (-7, 2), (None, 3), (0, 4)]
    served = serve(f"tenant {contract}, number INTEGER", rows, tenant="tenant")
    assert served.rows(tenant="7") == [(7, 1)]
    assert served.rows(tenant="-7") == [(-7, 2)]
    assert served.rows(tenant="0") == [(0, 4)]
    for text in ("07", "+7", " 7", "7.0", "7_0", "٧", "-0", "", "x", "9" * 30, "9" * 5000):
        assert served.rows(tenant=text) == []


def test_aggregates_are_within_one_tenant() -> None:
    """A sum over another tenant's rows cannot be had; nobody's sum is null."""
    served = serve(
        "tenant VARCHAR, number INTEGER", ROWS, tenant="tenant", select="number sum, tenant count"
    )
    assert served.data(tenant="a") == '[{"number":5,"tenant":2}]'
    assert served.data(tenant="c") == '[{"number":null,"tenant":0}]'
