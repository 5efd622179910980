"""The floor: Sanic sends bytes it holds already, to anyone, one worker, no access log.

`--source` is a folder of bodies; the file `x` is the answer of `/v1/endpoints/x`.
"""

from __future__ import annotations

from typing import Any

from sanic import HTTPResponse, Request
from sanic.response import raw

from dev.bench.serving.sanic_peer import Handler, bare_app, peer_arguments, run


def _handler(body: bytes) -> Handler:
    async def handle(_: Request[Any, Any]) -> HTTPResponse:
        return raw(body, content_type="application/json")

    return handle


def main() -> None:
    """Serve every body of the folder."""
    arguments = peer_arguments()
    app = bare_app("floor")
    for path in sorted((arguments.source / "v1" / "endpoints").iterdir()):
        app.add_route(_handler(path.read_bytes()), f"/v1/endpoints/{path.name}", name=path.name)
    run(app, arguments.port, arguments.workers)


if __name__ == "__main__":
    main()
