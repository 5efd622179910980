"""Binding: which requests an endpoint takes, and with which code it refuses the others."""

from __future__ import annotations

import pytest

from offloader.catalog.model import Param
from offloader.errors import RequestError
from offloader.query.codes import REQUEST_CODES
from offloader.query.params import MAX_OFFSET
from tests.query.serving import Served, serve

REGION = Param("region", "enum", enum=("eu", "us"), aliases={"europe": "eu"})
CALLS = Param("calls", "integer", min=0, max=10)
NAME = Param("name", "string", max_length=5)
DAY = Param("day", "date")
RATIO = Param("ratio", "number")
ACTIVE = Param("active", "boolean")
REGIONS = Param("regions", "enum", enum=("eu", "us", "asia"), aliases={"europe": "eu"})
MOMENT = Param("moment", "timestamp")


@pytest.fixture(scope="module")
def served() -> Served:
    return serve(
        "region VARCHAR, calls BIGINT, name VARCHAR, day DATE, ratio DOUBLE, active BOOLEAN, "
        "moment TIMESTAMP",
        [],
        where=[
            ("region", "eq", REGION),
            ("calls", "gte", CALLS),
            ("name", "prefix", NAME),
            ("day", "eq", DAY),
            ("ratio", "lt", RATIO),
            ("active", "eq", ACTIVE),
            ("region", "in", REGIONS),
            ("moment", "lt", MOMENT),
        ],
    )


def refusal(served: Served, query: str) -> tuple[str, str | None]:
    """Return code and param of a request's refusal, which is a 422 `invalid_param`."""
    with pytest.raises(RequestError) as caught:
        served.bound(query)
    error = caught.value
    assert (error.status, error.family) == (422, "invalid_param")
    assert error.code in REQUEST_CODES
    return error.code, error.param


def test_values_are_typed_after_aliases(served: Served) -> None:
    """Each param arrives as its type: days for dates, microseconds for timestamps."""
    query = (
        "region=europe&calls=7&name=ab&day=1970-01-11&ratio=0.5&active=true"
        "&regions=us,europe&moment=1970-01-01T00:00:01Z"
    )
    assert served.bound(query).values == {
        "region": "eu",
        "calls": 7,
        "name": "ab",
        "day": 10,
        "ratio": 0.5,
        "active": True,
        "regions": ("eu", "us"),
        "moment": 1_000_000,
    }


def test_an_unsent_param_without_default_is_absent(served: Served) -> None:
    """Without params the page and the columns are the contract's defaults."""
    bound = served.bound()
    assert (bound.values, bound.limit, bound.offset) == ({}, 50, 0)
    assert bound.columns == ("region", "calls", "name", "day", "ratio", "active", "moment")


@pytest.mark.parametrize(
    ("query", "code", "param"),
    [
        ("colour=red", "unknown_param", "colour"),
        ("Region=eu", "unknown_param", None),
        ("%3Cscript%3E=1", "unknown_param", None),
        ("cursor=abc", "bad_cursor", "cursor"),
        ("region=EU", "not_in_enum", "region"),
        ("region=", "not_in_enum", "region"),
        ("calls=", "bad_type", "calls"),
        ("calls=ten", "bad_type", "calls"),
        ("calls=1.5", "bad_type", "calls"),
        ("calls=%201", "bad_type", "calls"),
        ("calls=1e1", "bad_type", "calls"),
        ("calls=٣", "bad_type", "calls"),
        ("calls=9223372036854775808", "bad_type", "calls"),
        ("calls=-1", "out_of_range", "calls"),
        ("calls=11", "out_of_range", "calls"),
        ("name=abcdef", "too_long", "name"),
        ("day=2026-02-30", "bad_type", "day"),
        ("day=2026-1-1", "bad_type", "day"),
        ("ratio=NaN", "bad_type", "ratio"),
        ("ratio=Infinity", "bad_type", "ratio"),
        ("ratio=1e999", "bad_type", "ratio"),
        ("active=1", "bad_type", "active"),
        ("moment=2026-01-01T00:00:00", "bad_type", "moment"),
        ("regions=", "bad_list", "regions"),
        ("regions=eu,,us", "bad_list", "regions"),
        ("regions=eu,mars", "not_in_enum", "regions"),
        ("regions=" + ",".join(["eu"] * 101), "bad_list", "regions"),
        ("limit=0", "out_of_range", "limit"),
        ("limit=101", "out_of_range", "limit"),
        ("limit=-1", "out_of_range", "limit"),
        ("limit=1e9", "bad_type", "limit"),
        ("limit=1000000000", "out_of_range", "limit"),
        ("limit=" + "9" * 5000, "out_of_range", "limit"),
        ("limit=", "bad_type", "limit"),
        ("limit=5.0", "bad_type", "limit"),
        ("offset=-1", "out_of_range", "offset"),
        ("offset=4294967296", "out_of_range", "offset"),
        ("offset=x", "bad_type", "offset"),
        ("columns=", "bad_list", "columns"),
        ("columns=calls,", "bad_list", "columns"),
        ("columns=calls,secret", "unknown_column", "columns"),
        ("columns=calls,calls", "repeated_column", "columns"),
    ],
)
def test_each_rule_has_its_code(served: Served, query: str, code: str, param: str | None) -> None:
    """A refusal says which rule was broken, and for which param."""
    assert refusal(served, query) == (code, param)


def test_no_refusal_repeats_a_value(served: Served) -> None:
    """Messages name the param and its rule, never what was sent."""
    for query in ("calls=sentinel", "region=sentinel", "limit=sentinel", "columns=sentinel"):
        with pytest.raises(RequestError) as caught:
            served.bound(query)
        assert "sentinel" not in str(caught.value)


def test_messages_state_the_rule(served: Served) -> None:
    """A caller reads what to send instead."""
    messages = []
    for query in ("calls=11", "region=mars", "limit=101", "columns=x"):
        with pytest.raises(RequestError) as caught:
            served.bound(query)
        messages.append(caught.value.message)
    assert messages == [
        "calls must be at most 10",
        "region must be one of eu, us",
        "limit must be from 1 to 100",
        "columns must be some of region, calls, name, day, ratio, active, moment",
    ]


def test_columns_come_in_select_order(served: Served) -> None:
    """The order in which a caller lists columns does not matter."""
    assert served.bound("columns=day,calls").columns == ("calls", "day")


def test_limit_and_offset_reach_every_row(served: Served) -> None:
    """Both bounds are inclusive."""
    bound = served.bound(f"limit=100&offset={MAX_OFFSET}")
    assert (bound.limit, bound.offset) == (100, 4_294_967_295)


def test_a_required_param_must_be_sent() -> None:
    """The code is `missing_param`, not `bad_combination`."""
    region = Param("region", "string", required=True)
    day = Param("day", "date")
    served = serve(
        "region VARCHAR, day DATE",
        [],
        where=[("region", "eq", region), ("day", "eq", day)],
        combinations=(frozenset({"region"}),),
    )
    assert refusal(served, "day=2026-01-01") == ("missing_param", "region")


def test_defaults_bind_when_a_param_is_not_sent() -> None:
    """A default counts like a value that was sent; in a list param it is one item."""
    served = serve(
        "region VARCHAR, calls BIGINT",
        [("eu", 1), ("eu", 2), ("us", 3)],
        where=[
            ("region", "in", Param("regions", "string", default="eu")),
            ("calls", "gte", Param("calls", "integer", default=2)),
        ],
    )
    assert served.bound().values == {"regions": ("eu",), "calls": 2}
    assert served.rows() == [("eu", 2)]
    assert served.rows("regions=us,eu&calls=1") == [("eu", 1), ("eu", 2), ("us", 3)]


def test_only_listed_combinations_are_allowed() -> None:
    """Sets are exact, looked at before defaults, and reserved params do not count."""
    served = serve(
        "a VARCHAR, b VARCHAR, c VARCHAR",
        [],
        where=[
            ("a", "eq", Param("a", "string")),
            ("b", "eq", Param("b", "string")),
            ("c", "eq", Param("c", "string", default="x")),
        ],
        combinations=(frozenset({"a"}), frozenset({"a", "b"})),
    )
    assert served.bound("a=1&limit=5&offset=2&columns=a").values == {"a": "1", "c": "x"}
    assert served.bound("b=2&a=1").values == {"a": "1", "b": "2", "c": "x"}
    for query in ("", "b=2", "a=1&c=y", "a=1&b=2&c=y"):
        assert refusal(served, query) == ("bad_combination", None)


def test_equal_requests_have_one_canonical_text(served: Served) -> None:
    """Order, aliases, spelled-out defaults, list order and repeats do not change the meaning."""
    same = [
        "region=eu&regions=eu,us&limit=50",
        "limit=50&regions=us,eu&region=europe",
        "regions=europe,us,eu,us&region=eu&offset=0",
        "region=eu&regions=us,eu&columns=moment,active,ratio,day,name,calls,region",
    ]
    assert len({served.bound(query).canonical for query in same}) == 1


def test_different_requests_have_different_canonical_texts(served: Served) -> None:
    """No two requests that mean different things share a text."""
    different = [
        "",
        "limit=1",
        "offset=1",
        "limit=1&offset=1",
        "columns=calls",
        "columns=calls,day",
        "calls=1",
        "ratio=1",
        "name=1",
        'name="1"',
        "regions=eu",
        "region=eu",
        "regions=eu,us",
        "name=eu,us",
        "day=1970-01-02",
        "active=true",
        "name=",
    ]
    assert len({served.bound(query).canonical for query in different}) == len(different)
