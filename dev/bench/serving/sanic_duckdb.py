"""The peer with an embedded DuckDB: sorted native tables, one connection a worker.

`--source` is the database file. The query runs in the event loop: handing it to a thread and back
costs more than it frees.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb

from dev.bench.serving.sanic_peer import Rows, add_routes, bare_app, peer_arguments, run
from dev.bench.serving.snapshots import sorted_file
from dev.bench.serving.works import Question


def build(database: Path, snapshots: Path, tables: tuple[str, ...]) -> None:
    """Write the sorted tables into a database file."""
    with duckdb.connect(str(database)) as connection:
        for name in tables:
            path = sorted_file(snapshots, name)
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM read_parquet('{path}')")


def main() -> None:
    """Serve the database."""
    arguments = peer_arguments()
    app = bare_app("duckdb")
    connections: list[Any] = []

    @app.before_server_start
    async def connect(_: object) -> None:
        config: dict[str, Any] = {"threads": 1}
        connection = duckdb.connect(str(arguments.source), read_only=True, config=config)
        with suppress(duckdb.Error):  # it would scan twice for a page: slower here, and not asked
            connection.execute("SET late_materialization_max_rows = 0")
        connections.append(connection)

    async def answer(question: Question, values: list[str]) -> Rows:
        found = connections[0].execute(question.sql, values)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    add_routes(app, answer, arguments.tables)
    run(app, arguments.port, arguments.workers)


if __name__ == "__main__":
    main()
