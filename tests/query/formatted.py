"""Answers in every format, read back by libraries that know nothing of how they were made."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.csv as pa_csv

from offloader.catalog.documents import parse_documents
from offloader.query.execute import run
from offloader.query.formats import FORMATS, encode
from offloader.query.params import bind
from offloader.query.plan import Plan, compile_plan
from offloader.segment.access_path import derive_paths
from tests.query.serving import Served
from tests.query.strategies import Case, Request
from tests.segment.tables import build

Texts = list[tuple[str | None, ...]]


def compile_case(case: Case) -> Plan:
    """Compile a made case's endpoint over its rows."""
    scoped = case.table.tenant_column is not None
    key = {"id": "k", "hash": "a" * 64, "tenant": "42" if scoped else None, "status": "active"}
    catalog = parse_documents(
        {
            "project": {"version": 1, "keys": "keys.yml"},
            "datasets": {"datasets/made.yml": case.dataset},
            "endpoints": {"endpoints/asked.yml": case.endpoint},
            "keys": {"keys": [{**key, "endpoints": ["asked"]}]},
            "keys_file": "keys.yml",
        }
    )
    dataset, endpoint = catalog.datasets["made"], catalog.endpoints["asked"]
    paths = [spec.columns for spec in derive_paths(dataset, [endpoint])]
    return compile_plan(dataset, endpoint, build(case.table, paths))


def bodies(plan: Plan, request: Request) -> dict[str, bytes]:
    """Return one request's body in each format, by media type."""
    bound = bind(plan.signature, dict(request.pairs))
    result = run(plan, bound, request.tenant)
    return {media: encode(media, plan, bound, result, stale=False) for media in FORMATS}


def formatted(served: Served, media: str, query: str = "", *, stale: bool = False) -> bytes:
    """Return one request's body in one format."""
    return encode(media, served.plan, served.bound(query), served.result(query), stale=stale)


def read_arrow(body: bytes) -> pa.Table:
    """Read an Arrow IPC stream to its end, every buffer checked."""
    stream = pa.ipc.open_stream(body)
    table = stream.read_all()
    table.validate(full=True)
    return table


def read_csv(body: bytes, columns: Sequence[str]) -> Texts:
    """Read CSV with pyarrow: fields as text, None for an empty field without quotes."""
    found = pa_csv.read_csv(
        io.BytesIO(body),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    assert found.column_names == list(columns)
    return [tuple(row[name] for name in columns) for row in found.to_pylist()]


def read_csv_with_duckdb(
    connection: duckdb.DuckDBPyConnection, path: Path, columns: Sequence[str]
) -> list[tuple[Any, ...]]:
    """Read CSV with DuckDB: fields as text, None for an empty field without quotes."""
    return connection.execute(
        f"""SELECT * FROM read_csv('{path}', auto_detect = false, header = true, delim = ',',
            quote = '"', escape = '"', new_line = '\\r\\n', nullstr = '',
            allow_quoted_nulls = false, columns = {dict.fromkeys(columns, "VARCHAR")})"""
    ).fetchall()
