"""Ask at a fixed mean rate, whether answers come or not: what latency is at part of the load.

wrk sends the next request when the one before is answered, so a slow moment makes it ask less just
then, and hides itself (coordinated omission). Here each request is due at a time drawn ahead, gaps
being exponential (a Poisson process), and its latency counts from when it was due: also the time it
waited for a connection, or for this program. One process spins on a core of its own.

    python -m dev.bench.serving.paced <host:port> <file of requests> --rate N [--seconds S]
"""

from __future__ import annotations

import argparse
import gc
import json
import re
import select
import socket
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from dev.bench.serving.asking import read_requests

_WARM_SECONDS = 0.5
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_READ_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Paced:
    """Requests a second that were answered, and microseconds from when each was due."""

    rate: float
    p50: float
    p99: float
    p999: float


class _Connection:
    """One connection, at most one request on its way; `wanted` bytes of its answer are missing."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.due_ns = 0
        self.wanted = 0
        self.head = b""

    def take(self) -> bool:
        """Read what there is; tell whether the answer is complete. Raises RuntimeError."""
        data = self.socket.recv(_READ_BYTES)
        if not data:
            raise RuntimeError("the server closed a connection")
        if self.wanted:
            self.wanted -= len(data)
            return not self.wanted
        self.head += data
        end = self.head.find(b"\r\n\r\n")
        if end < 0:
            return False
        if self.head[9:12] not in (b"200", b"304"):
            raise RuntimeError(f"a request was answered {self.head[9:12].decode()}")
        found = _LENGTH.search(self.head, 0, end)
        self.wanted = end + 4 + (int(found[1]) if found else 0) - len(self.head)
        self.head = b""
        return not self.wanted


def pace(
    address: str, requests: Sequence[bytes], rate: float, seconds: float, connections: int = 64
) -> Paced:
    """Ask for `seconds` at `rate` a second; the first half second is not counted."""
    host, _, port = address.rpartition(":")
    gaps = np.random.default_rng(3).exponential(1e9 / rate, int(rate * seconds))
    offsets: list[int] = np.cumsum(gaps).astype(np.int64).tolist()
    idle = deque(_Connection((host, int(port))) for _ in range(connections))
    by_descriptor = {one.socket.fileno(): one for one in idle}
    poll = select.epoll()
    for descriptor in by_descriptor:
        poll.register(descriptor, select.EPOLLIN)
    latencies, took_ns = _run(poll, by_descriptor, idle, requests, offsets)
    for one in by_descriptor.values():
        one.socket.close()
    poll.close()
    warm = int(np.searchsorted(offsets, _WARM_SECONDS * 1e9))
    counted = np.asarray(latencies[warm:]) / 1e3
    p50, p99, p999 = np.percentile(counted, [50, 99, 99.9]).tolist()
    return Paced(len(offsets) / (took_ns / 1e9), p50, p99, p999)


def _run(
    poll: select.epoll,
    by_descriptor: dict[int, _Connection],
    idle: deque[_Connection],
    requests: Sequence[bytes],
    offsets: Sequence[int],
) -> tuple[list[int], int]:
    """Send each request once it is due; return nanoseconds until each was answered, and in all."""
    clock, count, total = time.perf_counter_ns, len(requests), len(offsets)
    latencies: list[int] = []
    sent = 0
    gc.disable()
    start = clock()
    while len(latencies) < total:
        while sent < total and idle and start + offsets[sent] <= clock():
            one = idle.popleft()
            one.due_ns = start + offsets[sent]
            one.socket.send(requests[sent % count])
            sent += 1
        for descriptor, _ in poll.poll(0):
            one = by_descriptor[descriptor]
            if one.take():
                latencies.append(clock() - one.due_ns)
                idle.append(one)
    gc.enable()
    return latencies, clock() - start


def main() -> None:
    """Print what was found as one line of JSON."""
    parser = argparse.ArgumentParser(description="Ask at a fixed mean rate.")
    parser.add_argument("address")
    parser.add_argument("requests", type=Path)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seconds", type=float, default=4.0)
    arguments = parser.parse_args()
    requests = read_requests(arguments.requests)
    found = pace(arguments.address, requests, arguments.rate, arguments.seconds)
    print(json.dumps(asdict(found)))


if __name__ == "__main__":
    main()
