"""The outbox: answers that go out together, when the loop has seen to all that had arrived.

Each write may wake whoever waits for it, and waking costs a processor more than most answers do;
of several writes in a row the first wakes for all. An answer that is alone waits for nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any

from offloader.query.quick import Pieces

# Above it a second buffer costs less than a copy of the body.
JOINED_BYTES = 16 * 1024
# As many small answers are made in about a millisecond: the first waits no longer.
MOST_WAITING = 64


class Outbox:
    """One worker's answers that wait for the end of the loop's turn."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Any, bytes, bytes, Pieces | None]] = []

    def put(
        self, transport: Any, head: bytes, body: bytes = b"", pieces: Pieces | None = None
    ) -> None:
        """Send an answer in this turn of the loop; its body may be in pieces."""
        waiting = self._waiting
        if not waiting:
            asyncio.get_running_loop().call_soon(self.flush)
        waiting.append((transport, head, body, pieces))
        if len(waiting) >= MOST_WAITING:
            self.flush()

    def flush(self) -> None:
        """Send what waits, in the order in which it came, to those who are still there."""
        waiting, self._waiting = self._waiting, []
        for transport, head, body, pieces in waiting:
            if transport.is_closing():
                continue  # a write would be an error
            if pieces is not None:
                transport.writelines((head, *pieces))
            elif len(body) <= JOINED_BYTES:
                transport.write(head + body)
            else:
                transport.writelines((head, body))
