"""A bare asyncio HTTP server: what the machine alone makes of a request, beside the service.

    python -m dev.bench.bare_http

It prints the port it listens on, and ends with its stdin.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n"
    b"Connection: close\r\n\r\n" + b'{"live": true}\n'
)


@contextmanager
def bare_server() -> Iterator[str]:
    """Run the server in a process of its own; give its `host:port`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dev.bench.bare_http"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield f"127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


async def _serve() -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(_ANSWER)
    await writer.drain()
    writer.close()


if __name__ == "__main__":
    asyncio.run(_serve())
