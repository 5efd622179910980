"""Generated contracts, tables and requests: a scan of the files gives the body of shared memory."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pa_parquet
from hypothesis import given, settings

from offloader.catalog.documents import parse_documents
from offloader.catalog.types import Kind
from offloader.query.params import bind
from offloader.query.plan import Plan, compile_plan
from offloader.segment.access_path import derive_paths
from tests.query.strategies import Case, Scenario, scenarios
from tests.segment.tables import arrow_array, arrow_tables, build
from tests.service.worker.remote_plans import local_body, reading, remote_plan, scanned

EXAMPLES = 150
REQUESTS_PER_EXAMPLE = 6
_UNITS = [pa.timestamp("us", "UTC"), pa.timestamp("us"), pa.timestamp("us", "Europe/Paris")]


def test_a_scan_gives_the_same_body() -> None:
    """Values, order, pages, cursors: byte for byte, however the files are written."""
    by, seen = reading(), Counter[str]()

    @settings(max_examples=EXAMPLES)
    @given(scenarios(REQUESTS_PER_EXAMPLE))
    def compare(scenario: Scenario) -> None:
        with tempfile.TemporaryDirectory() as folder:
            local, remote = _compile(scenario, Path(folder))
            for request in scenario.requests:
                bound = bind(local.signature, dict(request.pairs))
                body, found = scanned(remote, bound, request.tenant, by)
                assert body == local_body(local, bound, request.tenant)
                total = local.segment.row_count
                seen["all"] += 1
                seen["rows"] += b'"data":[]' not in body
                seen["fewer kept"] += found.segment.row_count < total
                seen["fewer read"] += found.rows_read < total

    compare()
    assert min(seen["rows"], seen["fewer kept"], seen["fewer read"]) > seen["all"] // 10


def _compile(scenario: Scenario, folder: Path) -> tuple[Plan, Plan]:
    """Write the case's files, and compile its endpoint over them and over its segment."""
    case, pick = scenario.case, Random(scenario.seed)
    catalog = parse_documents(_documents(case))
    dataset, endpoint = catalog.datasets["made"], catalog.endpoints["asked"]
    files = []
    empty = pa.table({c.name: arrow_array(c.type, []) for c in case.table.columns})
    for number, part in enumerate(arrow_tables(case.table, case.cuts) or [empty]):
        files.append(folder / f"{number}.parquet")
        rows = pick.choice([1, 2, 5, 1000])
        written = _retyped(case, part, pick)
        pa_parquet.write_table(written, files[-1], row_group_size=rows, use_dictionary=rows != 2)
    in_memory = replace(endpoint, serving_mode="local_table")
    paths = [spec.columns for spec in derive_paths(dataset, [in_memory])]
    plan = compile_plan(dataset, endpoint, build(case.table, paths))
    return plan, remote_plan(plan, case.table.columns, files)


def _retyped(case: Case, part: pa.Table, pick: Random) -> pa.Table:
    """Write a column in another type that stands for the same."""
    for place, column in enumerate(case.table.columns):
        array, kind = part.column(place), column.type.kind
        if kind is Kind.TIMESTAMP:
            array = array.cast(pick.choice(_UNITS))
        elif kind is Kind.VARCHAR:
            array = pick.choice([array, array.cast(pa.large_string()), array.dictionary_encode()])
        part = part.set_column(place, column.name, array)
    return part


def _documents(case: Case) -> dict[str, Any]:
    is_scoped = case.table.tenant_column is not None
    tenant = "42" if is_scoped else None
    key = {"id": "k", "hash": "a" * 64, "tenant": tenant, "endpoints": ["asked"]}
    endpoint = {**case.endpoint, "serving_mode": "remote_scan"}
    return {
        "project": {"version": 1, "keys": "keys.yml"},
        "datasets": {"datasets/made.yml": case.dataset},
        "endpoints": {"endpoints/asked.yml": endpoint},
        "keys": {"keys": [{**key, "status": "active"}]},
        "keys_file": "keys.yml",
    }
