"""Generated contracts, tables and requests: the answers are DuckDB's over the same files."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest
from hypothesis import given, settings

from offloader.catalog.documents import parse_documents
from offloader.catalog.manifest import ManifestFile
from offloader.catalog.model import Endpoint, Select
from offloader.catalog.types import Kind
from offloader.query import order, quick
from offloader.query.encode import encode_json, encode_ndjson
from offloader.query.execute import run
from offloader.query.params import Bound, bind
from offloader.query.plan import Plan, compile_plan
from offloader.query.quick import answer_quickly
from offloader.segment.access_path import derive_paths
from offloader.segment.row_text_spec import derive_row_texts
from offloader.sources.arrow_read import read_tables
from tests.query.made_tables import table_column
from tests.query.oracle import Oracle
from tests.query.strategies import Case, Request, Scenario, scenarios
from tests.segment.tables import Table, arrow_array, arrow_tables, build

EXAMPLES = 650
REQUESTS_PER_EXAMPLE = 6
LEAST_REQUESTS = 2000
LEAST_OF_A_WAY = 200


def test_answers_equal_duckdbs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values, order and pages of 2,000 requests equal SQL's: by path, scan and encoded rows."""
    oracle, compared, ways = Oracle(), set(), Counter[str]()
    monkeypatch.setattr(order, "WORTH_SELECTING_ROWS", 8)
    monkeypatch.setattr(quick, "WHOLE_BYTES", 100)

    @settings(max_examples=EXAMPLES)
    @given(scenarios(REQUESTS_PER_EXAMPLE))
    def compare(scenario: Scenario) -> None:
        endpoint, plans = _compile(scenario.case, oracle)
        for request in scenario.requests:
            ways.update(_compare(scenario.case, endpoint, plans, request, oracle))
            compared.add((scenario.seed, request))

    compare()
    assert len(compared) >= LEAST_REQUESTS
    assert min(ways["encoded ahead"], ways["at once"]) >= LEAST_OF_A_WAY


def _compare(
    case: Case, endpoint: Endpoint, plans: Sequence[Plan], request: Request, oracle: Oracle
) -> list[str]:
    """Compare one request; return the ways beside the usual one that answered it."""
    bound = bind(plans[0].signature, dict(request.pairs))
    bodies = [_body(plan, bound, request.tenant) for plan in plans]
    assert bodies[0] == bodies[1] == bodies[2]
    ways = _check_encoded(plans[2], bound, request.tenant, bodies[0])
    try:
        expected = oracle.rows(case.table, endpoint, _texts(endpoint, request), request.tenant)
    except duckdb.OutOfRangeException:  # its sums of decimals end at 38 digits, ours do not
        return ways
    body = json.loads(bodies[0], parse_float=Decimal)
    _check_page(body, endpoint, bound, len(expected))
    end = bound.offset + bound.limit
    for row, wanted in zip(body["data"], expected[bound.offset : end], strict=True):
        for item, cell in zip(endpoint.select, wanted, strict=True):
            if item.alias in bound.columns:
                _check_cell(item, case.table, endpoint, row[item.alias], cell)
    return ways


def _check_encoded(plan: Plan, bound: Bound, tenant: str | None, body: bytes) -> list[str]:
    """Check that rows encoded ahead make the same body; return how they were read."""
    ways = []
    joined = run(plan, bound, tenant, texts="joined")
    if joined.texts is not None:
        ways.append("encoded ahead")
        assert encode_json(plan, bound, joined, stale=False) == body
        lines = encode_ndjson(bound, run(plan, bound, tenant, texts="rows"))
        assert lines == encode_ndjson(bound, run(plan, bound, tenant))
    at_once = answer_quickly(plan, replace(bound, columns=_same(plan, bound)), tenant, stale=False)
    if at_once is not None:
        ways.append("at once")
        found, row_count = at_once
        whole = found if isinstance(found, bytes) else b"".join(found)
        rows = joined.rows_read if joined.texts is None else joined.row_count
        assert (whole, row_count) == (body, rows)
    return ways


def _same(plan: Plan, bound: Bound) -> tuple[str, ...]:
    """Return the endpoint's own tuple of columns where it equals the request's."""
    columns = plan.endpoint.columns
    return columns if columns == bound.columns else bound.columns


def _compile(case: Case, oracle: Oracle) -> tuple[Endpoint, list[Plan]]:
    """Write the case's files, and compile its endpoint with access paths and without."""
    catalog = parse_documents(_documents(case))
    dataset, endpoint = catalog.datasets["made"], catalog.endpoints["asked"]
    with tempfile.TemporaryDirectory() as folder:
        files = []
        empty = pa.table({c.name: arrow_array(c.type, []) for c in case.table.columns})
        for number, part in enumerate(arrow_tables(case.table, case.cuts) or [empty]):
            files.append(Path(folder) / f"{number}.parquet")
            pa_parquet.write_table(part, files[-1])
        oracle.load(case.table, files)
        tables = [table for file in files for table in _source_tables(case.table, file)]
    paths = [spec.columns for spec in derive_paths(dataset, [endpoint])]
    texts = derive_row_texts(dataset, [endpoint], paths)
    segments = [
        build(case.table, paths, tables=tables),
        build(case.table, [], tables=tables),
        build(case.table, paths, tables=tables, texts=texts),
    ]
    return endpoint, [compile_plan(dataset, endpoint, segment) for segment in segments]


def _source_tables(table: Table, path: Path) -> list[pa.Table]:
    """Read a file as a snapshot's source does: checked, typed by the contract, in batches."""
    row_count = pa_parquet.read_metadata(path).num_rows
    file = ManifestFile(path.name, "parquet", row_count, path.stat().st_size)
    with pa.OSFile(str(path)) as source:
        return list(read_tables(source, file, table.columns, table.columns))


def _documents(case: Case) -> dict[str, Any]:
    is_scoped = case.table.tenant_column is not None
    key = {
        "id": "k",
        "hash": "a" * 64,
        "tenant": "42" if is_scoped else None,
        "endpoints": ["asked"],
        "status": "active",
    }
    return {
        "project": {"version": 1, "keys": "keys.yml"},
        "datasets": {"datasets/made.yml": case.dataset},
        "endpoints": {"endpoints/asked.yml": case.endpoint},
        "keys": {"keys": [key]},
        "keys_file": "keys.yml",
    }


def _texts(endpoint: Endpoint, request: Request) -> dict[str, str]:
    """Return the texts that apply: those sent, after aliases, and defaults."""
    sent, texts = dict(request.pairs), {}
    for param in endpoint.params:
        text = sent.get(param.name, param.default)
        if text is not None:
            items = str(text).split(",") if _is_list(endpoint, param.name) else [str(text)]
            texts[param.name] = ",".join(param.aliases.get(item, item) for item in items)
    return texts


def _is_list(endpoint: Endpoint, name: str) -> bool:
    return any(item.param == name and item.op == "in" for item in endpoint.filters)


def _body(plan: Plan, bound: Bound, tenant: str | None) -> bytes:
    """Return the JSON body, whose rows are also the lines of the NDJSON one."""
    result = run(plan, bound, tenant)
    body = encode_json(plan, bound, result, stale=False)
    lines = encode_ndjson(bound, result).decode().split("\n")[:-1]
    assert body.decode().startswith(f'{{"data":[{",".join(lines)}],"meta":')
    return body


def _check_page(body: Mapping[str, Any], endpoint: Endpoint, bound: Bound, count: int) -> None:
    end = bound.offset + bound.limit
    assert body["meta"]["next_offset"] == (end if end < count else None)
    assert body["meta"]["row_count"] == len(body["data"]) == max(0, min(count, end) - bound.offset)
    assert all(tuple(row) == bound.columns for row in body["data"])


def _check_cell(item: Select, table: Table, endpoint: Endpoint, found: Any, wanted: Any) -> None:
    kind = table_column(table, item.column).type.kind
    if kind is Kind.DOUBLE and item.agg in ("sum", "avg"):
        _check_sum(item, table, found, wanted)
    elif kind is Kind.JSON and item.agg is None:
        assert found == (None if wanted is None else json.loads(wanted, parse_float=Decimal))
    elif wanted is None or found is None:
        assert found is wanted
    elif item.agg == "avg":
        assert float(found) == pytest.approx(wanted, rel=1e-9)
    elif isinstance(wanted, float):
        assert float(found) == wanted
        assert endpoint.is_aggregate or repr(float(found)) == repr(wanted)
    elif isinstance(wanted, Decimal):
        assert str(Decimal(found)) == str(wanted)
    elif isinstance(wanted, datetime):
        assert found == wanted.isoformat() + "Z"
    elif isinstance(wanted, date):
        assert found == wanted.isoformat()
    else:
        assert (type(found), found) == (type(wanted), wanted)


def _check_sum(item: Select, table: Table, found: Any, wanted: Any) -> None:
    """Compare sums of doubles to a billionth of what was added, unless that may overflow."""
    place = [column.name for column in table.columns].index(item.column)
    cells = [row[place] for row in table.rows]
    size = sum(abs(cell) for cell in cells if isinstance(cell, float) and isfinite(cell))
    if isfinite(size):
        assert (found is None) == (wanted is None)
        assert found is None or float(found) == pytest.approx(wanted, rel=1e-9, abs=1e-12 * size)
