"""A connection without a socket: what the server writes stays here, and time stands still."""

from __future__ import annotations

import asyncio
from typing import Any

from sanic.server.protocols.http_protocol import HttpProtocol


class Wire(asyncio.Transport):
    """A transport that keeps what is written; `limit_bytes` is when it asks for a pause."""

    def __init__(self, protocol: HttpProtocol, limit_bytes: int = 2**30) -> None:
        super().__init__()
        self.written = b""
        self.writes = 0
        self.reads = True
        self._limit_bytes = limit_bytes
        self._protocol = protocol
        self._closing = False

    def write(self, data: Any) -> None:
        """Keep bytes; an error on a closed connection, as with uvloop."""
        if self._closing:
            raise RuntimeError("the handler is closed")
        self.written += bytes(data)
        self.writes += 1
        if len(self.written) > self._limit_bytes:
            self._protocol.pause_writing()  # type: ignore[no-untyped-call]

    def writelines(self, list_of_data: Any) -> None:
        """Keep them all, as one write."""
        self.write(b"".join(list_of_data))

    def take(self) -> bytes:
        """Return what was written since the last time."""
        taken, self.written = self.written, b""
        return taken

    def drain(self) -> None:
        """Have the caller read everything."""
        self.written = b""
        self._protocol.resume_writing()  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Close once the loop turns."""
        if not self._closing:
            self._closing = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        """Close."""
        self.close()

    def is_closing(self) -> bool:
        """Tell whether it is closed."""
        return self._closing

    def pause_reading(self) -> None:
        """Note it."""
        self.reads = False

    def resume_reading(self) -> None:
        """Note it."""
        self.reads = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Do nothing."""

    def get_write_buffer_size(self) -> int:
        """Return 0."""
        return 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Name the caller."""
        return ("127.0.0.1", 50000) if name in ("peername", "sockname") else default


async def rest(protocol: HttpProtocol) -> None:
    """Let the loop turn until the connection's task waits for bytes, for room, or has ended."""
    while (task := protocol._task) is not None and not task.done():
        events = (protocol._data_received, protocol._can_write)
        if any(event._waiters and not event.is_set() for event in events):
            break
        await asyncio.sleep(0)
    for _ in range(3):  # what it has put off
        await asyncio.sleep(0)
