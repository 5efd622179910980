"""Rules of the smoke query: every endpoint answers one small request before it is served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from offloader.catalog.model import Param, ParamType
from offloader.query import execute
from offloader.query.params import make_signature
from offloader.query.plan import Plan
from offloader.service.worker import smoke
from offloader.service.worker.smoke import smoke_request, try_plan
from tests.query.serving import Served, serve

CONTRACT = "account VARCHAR, calls BIGINT, cost DOUBLE, day DATE, at TIMESTAMP, ok BOOLEAN"
DAY, MOMENT = 20_000, 1_780_000_000_123_456
ROWS = [("acct, one", -7, 1.5, DAY, MOMENT, True), ("b", 8, 2.5, DAY + 1, MOMENT + 1, False)]


def plan_of(rows: object = ROWS, **fields: object) -> Plan:
    """Compile an endpoint over some rows."""
    made: Served = serve(CONTRACT, rows, **fields)  # type: ignore[arg-type]
    return made.plan


def values(plan: Plan) -> Mapping[str, object]:
    """Return what the smoke request binds."""
    bound = smoke_request(plan)
    assert bound is not None
    assert (bound.limit, bound.offset) == (1, 0)
    return bound.values


@pytest.mark.parametrize(
    ("column", "kind", "value"),
    [
        ("account", "string", "acct, one"),
        ("calls", "integer", -7),
        ("cost", "number", 1.5),
        ("day", "date", DAY),
        ("at", "timestamp", MOMENT),
        ("ok", "boolean", True),
    ],
)
def test_a_required_param_takes_the_first_rows_value(
    column: str, kind: ParamType, value: object
) -> None:
    """Rows are found then, so that reading and encoding them is tried too."""
    param = Param("p", kind, required=True)
    plan = plan_of(where=[(column, "eq", param)])
    assert values(plan) == {"p": value}


@pytest.mark.parametrize(
    ("param", "value"),
    [
        (Param("p", "string", required=True), "a"),
        (Param("p", "string", required=True, max_length=1), "a"),
        (Param("p", "enum", required=True, enum=("x", "y")), "x"),
        (Param("p", "integer", required=True), 0),
        (Param("p", "integer", required=True, min=5), 5),
        (Param("p", "integer", required=True, max=-5), -5),
        (Param("p", "number", required=True, min=0.25, max=0.5), 0.25),
        (Param("p", "boolean", required=True), True),
    ],
)
def test_without_a_row_the_contract_gives_a_value(param: Param, value: object) -> None:
    """The first of an enum, and what is within the bounds."""
    column = {"integer": "calls", "number": "cost", "boolean": "ok"}.get(param.type, "account")
    assert values(plan_of([], where=[(column, "eq", param)])) == {"p": value}


def test_dates_without_a_row_are_those_of_the_snapshot() -> None:
    """A date is the watermark's day, a timestamp the watermark, each within its bounds."""
    where = [
        ("day", "gte", Param("since", "date", required=True)),
        ("at", "lt", Param("until", "timestamp", required=True)),
        ("day", "lte", Param("last", "date", required=True, max=9)),
    ]
    plan = plan_of([], where=where)
    moment = plan.segment.watermark
    expected = {"since": moment // 86_400_000_000, "until": moment, "last": 9}
    assert values(plan) == expected


def test_a_value_the_contract_refuses_is_not_sent() -> None:
    """The first row's may be out of the bounds, of no enum, or no item of a list."""
    assert values(
        plan_of(where=[("calls", "eq", Param("p", "integer", required=True, min=1))])
    ) == {"p": 1}
    enum = Param("p", "enum", required=True, enum=("x,y", "z"))
    assert values(plan_of(where=[("account", "in", enum)])) == {"p": ("z",)}
    text = Param("p", "string", required=True, max_length=3)
    assert values(plan_of(where=[("account", "eq", text)])) == {"p": "a"}


def test_optional_params_are_left_out_and_defaults_apply() -> None:
    """The request is the smallest that the contract allows."""
    where = [
        ("calls", "gte", Param("least", "integer")),
        ("account", "eq", Param("account", "string", default="b")),
    ]
    assert values(plan_of(where=where)) == {"account": "b"}


@pytest.mark.parametrize(
    ("combinations", "sent"),
    [
        ((frozenset({"calls"}), frozenset({"day", "account"})), {"account", "day"}),
        ((frozenset({"account"}), frozenset({"account", "calls"})), {"account"}),
    ],
)
def test_the_first_combination_that_has_every_required_param_is_sent(
    combinations: tuple[frozenset[str], ...], sent: set[str]
) -> None:
    """Optional params of it too, and no others."""
    where = [
        ("account", "eq", Param("account", "string", required=True)),
        ("calls", "eq", Param("calls", "integer")),
        ("day", "eq", Param("day", "date")),
    ]
    assert set(values(plan_of(where=where, combinations=combinations))) == sent


def test_what_no_caller_could_send_either_is_not_tried() -> None:
    """No combination has the required param: every request is refused, and that is an answer."""
    where = [("account", "eq", Param("account", "string", required=True))]
    plan = plan_of(where=where, combinations=(frozenset({"other"}),))
    try_plan(allowing(plan, frozenset()))
    assert smoke_request(allowing(plan)) is not None


def allowing(plan: Plan, *combinations: frozenset[str]) -> Plan:
    """Return the plan of an endpoint that allows other combinations."""
    endpoint = replace(plan.endpoint, combinations=combinations)
    return replace(plan, endpoint=endpoint, signature=make_signature(endpoint))


class Ran:
    """Remembers what was run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rows: list[tuple[int, int]] = []

        def run(*arguments: object) -> execute.Result:
            result = execute.run(*arguments)  # type: ignore[arg-type]
            self.rows.append((result.row_count, result.rows_read))
            return result

        monkeypatch.setattr(smoke, "run", run)


@pytest.mark.parametrize("tenant", [None, "account"])
def test_an_endpoint_with_required_params_answers_with_a_row(
    monkeypatch: pytest.MonkeyPatch, tenant: str | None
) -> None:
    """Tenant-scoped ones too: as the tenant of the first row."""
    ran = Ran(monkeypatch)
    where = [("calls", "eq", Param("calls", "integer", required=True))]
    try_plan(plan_of(where=where, tenant=tenant))
    assert ran.rows == [(1, 1)]


def test_nothing_reads_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """An aggregate over more is answered from no row, which takes the same way."""
    ran = Ran(monkeypatch)
    monkeypatch.setattr(smoke, "MAX_SMOKE_ROWS", 2)
    try_plan(plan_of(select="calls sum total"))
    monkeypatch.setattr(smoke, "MAX_SMOKE_ROWS", 1)
    try_plan(plan_of(select="calls sum total"))
    try_plan(plan_of([], select="calls sum total"))
    assert ran.rows == [(1, 2), (1, 0), (1, 0)]


def test_an_endpoint_that_breaks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong: the generation is refused with the endpoint's name."""

    def broken(*_: object, **__: object) -> bytes:
        raise KeyError("no such cell")

    monkeypatch.setattr(smoke, "encode_json", broken)
    plan = plan_of(where=[("account", "eq", Param("account", "string", required=True))])
    name = plan.endpoint.name
    with pytest.raises(ValueError, match=f"endpoint {name} does not answer: KeyError: 'no such"):
        try_plan(plan)
