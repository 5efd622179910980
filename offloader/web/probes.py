"""Probes: `/live` and `/ready` are answered in the very moment their connection is accepted.

An orchestrator opens a connection, asks, and has it closed. Where workers are busy that takes
several turns of the loop, each as long as the requests take that arrived meanwhile: one to accept,
one to read, one for Sanic's task. By the time it is accepted the request has arrived in full, so it
is looked at there and then. What is not such a request is left to Sanic, untouched.
"""

from __future__ import annotations

import re
import socket
from typing import Any

from sanic.server.protocols.http_protocol import HttpProtocol

from offloader.service.worker.view import View
from offloader.web.admin import ANSWERS, body_of
from offloader.web.worker import Worker

# Of a probe; a request with more to say, or a body, is not one.
_MOST_BYTES = 2048
_LINE = re.compile(rb"(GET|HEAD) (/live|/ready) HTTP/1\.[01]\r\n")
_FIELD = re.compile(rb"([!#-'*+.0-9A-Z^-z|~-]+):[ \t]*([\t\x20-\x7e]*)\r\n")
_CLOSE = b"close"
_BODY_FIELDS = frozenset({b"content-length", b"transfer-encoding", b"expect", b"upgrade"})
_REASONS = {200: b"OK", 503: b"Service Unavailable"}


class ProbeProtocol(HttpProtocol):
    """Sanic's protocol for the admin port, with an answer to probes before it."""

    __slots__ = ("_is_answered",)

    def connection_made(self, transport: Any) -> None:
        """Answer a probe that has arrived with its connection, else let Sanic begin."""
        self._is_answered = _answer(self.app.ctx.worker, transport)
        if self._is_answered:
            transport.close()  # what was written goes out first
        else:
            super().connection_made(transport)  # type: ignore[no-untyped-call]

    def data_received(self, data: bytes) -> None:
        """Read what comes; after an answer nothing does that anybody waits for."""
        if not self._is_answered:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection; Sanic knows of no other."""
        if not self._is_answered:
            super().connection_lost(exc)  # type: ignore[no-untyped-call]


def answer_to(worker: Worker, request: bytes) -> bytes | None:
    """Return the answer to a whole request that is a probe, None for any other.

    It is as Sanic's, byte for byte. Only of one that wants its connection closed.
    """
    line = _LINE.match(request)
    if line is None or not _wants_close(request, line.end()):
        return None
    method, path = line.groups()
    status, document = ANSWERS[path.decode()](View.of(worker.attachment))
    body = body_of(document)
    head = b"HTTP/1.1 %d %s\r\nCache-Control: no-store\r\ncontent-length: %d\r\n" % (
        status,
        _REASONS[status],
        len(body),
    )
    head += b"connection: close\r\ncontent-type: application/json\r\n\r\n"
    return head if method == b"HEAD" else head + body


def _wants_close(request: bytes, at: int) -> bool:
    """Tell whether the fields from `at` on are plain, end the request, and say close."""
    is_close = False
    while match := _FIELD.match(request, at):
        name, text = match[1].lower(), match[2]
        if name in _BODY_FIELDS:
            return False
        if name == b"connection":
            is_close = text.strip().lower() == _CLOSE
        at = match.end()
    return is_close and request[at:] == b"\r\n"


def _answer(worker: Worker, transport: Any) -> bool:
    """Answer if a probe lies in the socket; else nothing was read."""
    # Not the transport's own socket, which may not be read. The descriptor stays the transport's.
    accepted = socket.socket(
        socket.AF_INET, socket.SOCK_STREAM, 0, transport.get_extra_info("socket").fileno()
    )
    try:
        request = accepted.recv(_MOST_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        answer = answer_to(worker, request)
        if answer is None:
            return False
        accepted.recv(len(request), socket.MSG_DONTWAIT)
    except OSError:  # nothing has arrived, or the caller is gone: Sanic finds out
        return False
    finally:
        accepted.detach()
    transport.write(answer)
    return True
