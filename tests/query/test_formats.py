"""Made tables and requests: every format says what the JSON answer says."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings

from offloader.catalog.model import Select
from offloader.catalog.types import ColumnType, Kind
from offloader.query.execute import run
from offloader.query.formats import ARROW, CSV, JSON, NDJSON, encode
from offloader.query.plan import Plan
from tests.query.formatted import (
    Texts,
    bodies,
    compile_case,
    read_arrow,
    read_csv,
    read_csv_with_duckdb,
)
from tests.query.serving import serve
from tests.query.strategies import Scenario, scenarios

EXAMPLES, REQUESTS_PER_EXAMPLE = 100, 4
_ARROW_TYPES = {
    Kind.BOOLEAN: pa.bool_(),
    Kind.INTEGER: pa.int32(),
    Kind.BIGINT: pa.int64(),
    Kind.DOUBLE: pa.float64(),
    Kind.VARCHAR: pa.string(),
    Kind.DATE: pa.date32(),
    Kind.TIMESTAMP: pa.timestamp("us", "UTC"),
    Kind.JSON: pa.json_(pa.string()),
}


def test_formats_agree_with_json(tmp_path: Path) -> None:
    """400 made requests: NDJSON, CSV read by two readers and Arrow hold the values of JSON."""
    path = tmp_path / "body.csv"
    compared, reader = set(), duckdb.connect(config={"threads": 1})

    @settings(max_examples=EXAMPLES)
    @given(scenarios(REQUESTS_PER_EXAMPLE))
    def compare(scenario: Scenario) -> None:
        plan = compile_case(scenario.case)
        types = _types(plan)
        for request in scenario.requests:
            found = bodies(plan, request)
            rows = json.loads(found[JSON], parse_float=str, parse_int=str)["data"]
            columns = [n for n in plan.endpoint.columns if not rows or n in rows[0]]
            assert _lines(found[NDJSON]) == rows
            fields = _check_csv(found[CSV], rows, types)
            path.write_bytes(found[CSV])
            assert read_csv_with_duckdb(reader, path, _header(found[CSV])) == fields
            _check_arrow(found[ARROW], json.loads(found[JSON], parse_float=Decimal), plan, columns)
            compared.add((scenario.seed, request))

    compare()
    assert len(compared) >= EXAMPLES * REQUESTS_PER_EXAMPLE // 2


def test_another_media_type_is_an_error() -> None:
    """Nothing but what is negotiated gets here."""
    served = serve("v BIGINT", [(1,)])
    bound = served.bound()
    with pytest.raises(KeyError, match="text/html"):
        encode("text/html", served.plan, bound, run(served.plan, bound, None), stale=False)


def _types(plan: Plan) -> dict[str, Kind]:
    """Return the kinds of plain columns; aggregates are numbers, or have their column's."""
    return {alias: output.view.type.kind for alias, output in plan.outputs.items()}


def _lines(body: bytes) -> list[Any]:
    lines = body.decode().split("\n")
    assert lines.pop() == ""
    return [json.loads(line, parse_float=str, parse_int=str) for line in lines]


def _header(body: bytes) -> list[str]:
    return body.split(b"\r\n", 1)[0].decode().split(",")


def _check_csv(body: bytes, rows: list[Any], types: dict[str, Kind]) -> Texts:
    """Compare pyarrow's fields with the rows of JSON, and return them."""
    columns = _header(body)
    assert all(list(row) == columns for row in rows)
    found = read_csv(body, columns)
    for fields, row in zip(found, rows, strict=True):
        for field, (alias, value) in zip(fields, row.items(), strict=True):
            if types[alias] is Kind.JSON and field is not None:
                assert json.loads(field, parse_float=str, parse_int=str) == value
            elif isinstance(value, bool):
                assert field == ("true" if value else "false")
            else:
                assert field == value
    return found


def _check_arrow(body: bytes, answer: Any, plan: Plan, columns: list[str]) -> None:
    table = read_arrow(body)
    metadata = table.schema.metadata[b"offloader.meta"]
    assert json.loads(metadata, parse_float=Decimal) == answer["meta"]
    assert table.num_rows == len(answer["data"])
    selects = {item.alias: item for item in plan.endpoint.select}
    assert set(table.column_names) <= set(columns)
    for name in table.column_names:
        assert table.schema.field(name).type == _arrow_type(plan, selects[name])
        cells = table.column(name).to_pylist()
        for cell, row in zip(cells, answer["data"], strict=True):
            _check_cell(cell, row[name])


def _check_cell(cell: Any, value: Any) -> None:
    if isinstance(cell, float):
        assert repr(cell) == repr(float(value))
    elif isinstance(cell, Decimal):
        assert str(cell) == format(Decimal(value), "f") or cell == Decimal(value)
    elif isinstance(cell, datetime):
        assert cell.replace(tzinfo=None).isoformat() + "Z" == value
    elif isinstance(cell, date):
        assert cell.isoformat() == value
    elif isinstance(cell, str) and cell != value:
        assert json.loads(cell, parse_float=Decimal) == value
    else:
        assert (type(cell), cell) == (type(value), value)


def _arrow_type(plan: Plan, item: Select) -> pa.DataType:
    """Say the documented type of a select item again, from the contract alone."""
    found: ColumnType = plan.dataset.column(item.column).type
    if item.agg in ("count", "count_distinct"):
        return pa.int64()
    if item.agg == "avg":
        return pa.float64()
    if item.agg == "sum" and found.kind is not Kind.DOUBLE:
        if found.kind is Kind.INTEGER:
            return pa.int64()
        return pa.decimal128(38, found.scale)
    if found.kind is Kind.DECIMAL:
        return pa.decimal128(found.precision, found.scale)
    return _ARROW_TYPES[found.kind]
