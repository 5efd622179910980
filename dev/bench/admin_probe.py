"""Probe HTTP routes in turns, each over a connection of its own, and time the answers."""

from __future__ import annotations

import socket
import time
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field

_PAUSE_SECONDS = 0.004
_TIMEOUT_SECONDS = 10.0
# Of so many rounds one scrapes: it takes longer than the rest, and nobody does it as often.
_SCRAPE_EVERY = 20
_CHUNK_BYTES = 1 << 18


@dataclass(slots=True)
class Timing:
    """Milliseconds from the connect to the last byte; `failed` answered not at all, or no 200."""

    times: array[float] = field(default_factory=lambda: array("d"))
    failed: int = 0

    @property
    def median_ms(self) -> float:
        """What half of the probes took at most."""
        return self._at(0.5)

    @property
    def p99_ms(self) -> float:
        """What 99 of a hundred took at most."""
        return self._at(0.99)

    @property
    def most_ms(self) -> float:
        """What the slowest took."""
        return max(self.times, default=0.0)

    def figures(self) -> dict[str, float]:
        """Return the figures by name."""
        return {"p50_ms": self.median_ms, "p99_ms": self.p99_ms, "most_ms": self.most_ms}

    def __str__(self) -> str:
        numbers = (self.median_ms, self.p99_ms, self.most_ms)
        return f"{len(self.times):6}" + "".join(f"{number:9.2f}" for number in numbers)

    def _at(self, share: float) -> float:
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def probe(addresses: Mapping[str, tuple[str, str]], seconds: float) -> dict[str, Timing]:
    """Ask each `(host:port, path)` in turns for so long; return the times by name."""
    found = {name: Timing() for name in addresses}
    deadline, turn = time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        for name, (address, path) in addresses.items():
            if path != "/metrics" or turn % _SCRAPE_EVERY == 0:
                _ask(address, path, found[name])
                time.sleep(_PAUSE_SECONDS)
        turn += 1
    return found


def _ask(address: str, path: str, timing: Timing) -> None:
    host, _, port = address.partition(":")
    request = f"GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode()
    began = time.perf_counter()
    try:
        with socket.create_connection((host, int(port)), _TIMEOUT_SECONDS) as connection:
            connection.sendall(request)
            head = chunk = connection.recv(_CHUNK_BYTES)
            while chunk:
                chunk = connection.recv(_CHUNK_BYTES)
    except OSError:
        timing.failed += 1
        return
    timing.times.append((time.perf_counter() - began) * 1000)
    timing.failed += not head.startswith(b"HTTP/1.1 200")
