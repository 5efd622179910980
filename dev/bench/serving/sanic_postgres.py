"""The peer with PostgreSQL: tables stored in order, the index each query needs, asyncpg.

`--source` is the folder of the server's socket. Statements are prepared once for each connection.
"""

from __future__ import annotations

from typing import Any

from dev.bench.serving.sanic_peer import Rows, add_routes, bare_app, peer_arguments, run
from dev.bench.serving.works import Question

CONNECTIONS = 8  # of each worker


def main() -> None:
    """Serve what the server holds."""
    import asyncpg

    arguments = peer_arguments()
    app = bare_app("postgres")
    pools: list[Any] = []

    @app.before_server_start
    async def connect(_: object) -> None:
        pool = await asyncpg.create_pool(
            host=str(arguments.source),
            user="postgres",
            database="postgres",
            min_size=CONNECTIONS,
            max_size=CONNECTIONS,
        )
        pools.append(pool)

    async def answer(question: Question, values: list[str]) -> Rows:
        rows = await pools[0].fetch(question.sql, *values)
        return [dict(row) for row in rows]

    add_routes(app, answer, arguments.tables)
    run(app, arguments.port, arguments.workers)


if __name__ == "__main__":
    main()
