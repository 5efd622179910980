"""Ask over real connections: one request each, headers and bytes as they were sent."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer; `pairs` are its headers as sent, in order."""

    status: int
    pairs: Pairs
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        """The headers by lower-case name."""
        return {name.lower(): value for name, value in self.pairs}

    @property
    def document(self) -> Any:
        """The body's JSON, decimals exact."""
        return json.loads(self.body, parse_float=Decimal)

    @property
    def code(self) -> str:
        """The code of a refusal."""
        return str(self.document["error"]["code"])


def ask(
    address: tuple[str, int],
    target: str,
    headers: Mapping[str, str] | None = None,
    method: str = "GET",
    body: bytes | None = None,
) -> Reply:
    """Send one request over a connection of its own and return whatever the answer is."""
    connection = http.client.HTTPConnection(*address, timeout=60)
    try:
        connection.request(method, target, body, dict(headers or {}))
        return reply_of(connection.getresponse())
    finally:
        connection.close()


def reply_of(response: http.client.HTTPResponse) -> Reply:
    """Read an answer whole."""
    return Reply(response.status, tuple(response.getheaders()), response.read())


def send_raw(address: tuple[str, int], request: bytes, seconds: float = 15.0) -> bytes:
    """Send bytes and return all that comes back until the server closes, a stop or a reset."""
    received = b""
    with socket.create_connection(address, timeout=seconds) as client, suppress(OSError):
        client.sendall(request)
        while chunk := client.recv(65536):
            received += chunk
    return received
