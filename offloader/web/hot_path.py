"""The hot path: a plain GET or HEAD of an endpoint, answered inside `data_received`.

It takes what it understands completely, while nothing else goes on on the connection, and gives
everything else to Sanic's own path untouched: no byte was consumed, nothing counted or written.
Both answer with the same functions: `begin`, `refusal`, `compose`, `Record.note`.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, perf_counter_ns
from typing import Any

from sanic.http.constants import Stage

from offloader.errors import RequestError
from offloader.service.worker.answer import Query, Request, Response, begin
from offloader.service.worker.cost import is_quick
from offloader.service.worker.generation import Generation
from offloader.shared.control import Word
from offloader.shared.slots import Head
from offloader.web.access_log import Record
from offloader.web.reply import broken, new_request_id, refusal
from offloader.web.request_head import LINE, FieldReader
from offloader.web.response_head import CommonFields, compose, encode_kept_alive
from offloader.web.spread import SpreadProtocol
from offloader.web.worker import Worker

# Above it a second buffer costs less than a copy of the body.
JOINED_BYTES = 16 * 1024

_IDLE = Stage.IDLE
_IN_FLIGHT = Head.IN_FLIGHT
_IS_DRAINING = Word.IS_DRAINING
_match = LINE.match


class HotPath:
    """One worker's hot path, for all its connections; `clock` is seconds since the epoch."""

    def __init__(
        self,
        worker: Worker,
        common: CommonFields,
        record: Record,
        clock: Callable[[], float],
    ) -> None:
        self._attachment = worker.attachment
        self._control = worker.attachment.control
        self._head = worker.head
        self._cache = worker.cache
        self._common = common
        self._record = record
        self._clock = clock
        self._reader = FieldReader()

    def answer(self, data: bytes, transport: Any) -> bool:
        """Answer the request that these bytes are; False when they are left to Sanic."""
        began_ns = perf_counter_ns()
        line = _match(data)
        if line is None or self._control[_IS_DRAINING]:
            return False
        fields = self._reader.read(data, line.end())
        if fields is None:
            return False
        method, name_bytes, query = line.groups()
        name = name_bytes.decode()
        request_id = fields.request_id or new_request_id()
        generation = self._attachment.generation()
        request = Request(
            name,
            query or b"",
            fields.authorization,
            fields.accept,
            fields.if_none_match,
            fields.accept_encoding,
        )
        answer = self._answer(generation, request, request_id)
        if answer is None:
            return False
        is_authed = generation is None or generation.catalog.auth_required
        common = self._common.of(fields.origin, is_authed=is_authed)
        head = encode_kept_alive(answer, compose(answer, request_id, common))
        duration_ns = perf_counter_ns() - began_ns
        self._record.note(generation, name, method.decode(), answer, request_id, duration_ns)
        _write(transport, head, b"" if method == b"HEAD" else answer.body)
        return True

    def _answer(
        self, generation: Generation | None, request: Request, request_id: str
    ) -> Response | None:
        """Return the answer; None when making it would hold up the loop."""
        head = self._head
        head[_IN_FLIGHT] += 1
        try:
            answer = begin(generation, request, self._clock(), self._cache)
            if isinstance(answer, Query):
                return answer.finish() if is_quick(answer) else None
            return answer
        except RequestError as error:
            return refusal(error, request_id)
        except Exception as error:
            return refusal(broken(error), request_id)
        finally:
            head[_IN_FLIGHT] -= 1


def _write(transport: Any, head: bytes, body: bytes) -> None:
    if len(body) <= JOINED_BYTES:
        transport.write(head + body)
    else:
        transport.writelines((head, body))


class HotProtocol(SpreadProtocol):
    """Sanic's protocol with the hot path before it."""

    __slots__ = ("_hot_path",)

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self._http = None  # until its task begins
        self._hot_path: HotPath = self.app.ctx.hot_path

    def data_received(self, data: bytes) -> None:
        """Answer at once if nothing else goes on here, else let Sanic do it.

        Sanic's task waits for bytes then: nothing is buffered, no body is left to be skipped, the
        connection stays open and what was written before has gone out.
        """
        http, transport = self._http, self.transport
        if (
            http is not None
            and transport is not None
            and http.stage is _IDLE
            and not self.recv_buffer
            and not http.request_body
            and http.keep_alive
            and self._can_write.is_set()
            and self.app.config["KEEP_ALIVE"]
            and not transport.is_closing()
            and self._hot_path.answer(data, transport)
        ):
            self._time = monotonic()
            self.state["requests_count"] += 1
        else:
            super().data_received(data)
