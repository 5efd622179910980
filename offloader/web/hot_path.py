"""The hot path: a plain GET or HEAD of an endpoint, answered inside `data_received`.

It takes what it understands completely, while nothing else goes on on the connection, and gives
everything else to Sanic's own path untouched: no byte was consumed, nothing counted or written.
Both answer with the same functions: `prepare`, `answer`, `refusal`, `compose`, `Record.note`.

A request that comes again, byte for byte, is neither read nor checked again while the generation
is the same: only its key's expiry is. What is kept of it is no answer, and nothing of the snapshot.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, perf_counter_ns
from typing import Any

from sanic.http.constants import Stage

from offloader.errors import RequestError
from offloader.service.worker.answer import Query, Response, answer
from offloader.service.worker.cost import is_quick
from offloader.service.worker.generation import Generation
from offloader.service.worker.prepare import Prepared, Request, prepare
from offloader.service.worker.refusals import not_ready
from offloader.shared.control import Word
from offloader.shared.slots import Head
from offloader.web.access_log import Record, endpoint_shown
from offloader.web.kept_requests import KeptRequests
from offloader.web.outbox import Outbox
from offloader.web.reply import broken, new_request_id, refusal
from offloader.web.request_head import LINE, FieldReader, Fields
from offloader.web.response_head import CommonFields, encode_kept_alive
from offloader.web.spread import SpreadProtocol
from offloader.web.worker import Worker

_IDLE = Stage.IDLE
_IN_FLIGHT = int(Head.IN_FLIGHT)  # a plain number: indexing with an IntEnum takes longer
_IS_DRAINING = int(Word.IS_DRAINING)
_match = LINE.match


@dataclass(slots=True, eq=False)
class _Read:
    """A request as it was read; `prepared` once it passed every check.

    `is_new` until it was answered for the first time.
    """

    method: str
    request: Request
    fields: Fields
    prepared: Prepared | None = None
    is_new: bool = True


class HotPath:
    """One worker's hot path, for all its connections; `clock` is seconds since the epoch."""

    def __init__(
        self,
        worker: Worker,
        common: CommonFields,
        record: Record,
        clock: Callable[[], float],
    ) -> None:
        self._generation = worker.attachment.generation
        self._control = worker.attachment.control
        self._head = worker.head
        self._cache = worker.cache
        self._common = common
        self._record = record
        self._clock = clock
        self._reader = FieldReader()
        self._known = KeptRequests[_Read]()
        self._outbox = Outbox()

    def answer(self, data: bytes, transport: Any) -> bool:
        """Answer the request that these bytes are; False when they are left to Sanic."""
        began_ns = perf_counter_ns()
        if self._control[_IS_DRAINING]:
            return False
        read = self._known.get(data) or self._read(data)
        if read is None:
            return False
        fields = read.fields
        request_id = fields.request_id or new_request_id()
        generation = self._generation()
        found = self._answer(generation, read, request_id)
        if found is None:
            return False
        if read.is_new:
            read.is_new = False
            if read.prepared is not None and fields.comes_again:
                self._known.keep(data, read)
        is_authed = generation is None or generation.catalog.auth_required
        common = self._common.of(fields.origin, is_authed=is_authed)
        head = encode_kept_alive(found, request_id, common)
        duration_ns = perf_counter_ns() - began_ns
        method, name = read.method, read.request.endpoint
        trace = fields.traceparent
        self._record.note(generation, name, method, found, request_id, duration_ns, trace)
        if method == "HEAD":
            self._outbox.put(transport, head)
        else:
            self._outbox.put(transport, head, found.body, found.pieces)
        return True

    def flush(self) -> None:
        """Send the answers that wait for the end of the loop's turn."""
        self._outbox.flush()

    def _read(self, data: bytes) -> _Read | None:
        """Read a request; None when it is not one whole plain request of an endpoint."""
        line = _match(data)
        if line is None:
            return None
        fields = self._reader.read(data, line.end())
        if fields is None:
            return None
        method, name, query = line.groups()
        request = Request(
            name.decode(),
            query or b"",
            fields.authorization,
            fields.accept,
            fields.if_none_match,
            fields.accept_encoding,
        )
        return _Read(method.decode(), request, fields)

    def _answer(
        self, generation: Generation | None, read: _Read, request_id: str
    ) -> Response | None:
        """Return the answer; None when making it would hold up the loop."""
        head = self._head
        head[_IN_FLIGHT] += 1
        try:
            if generation is None:
                raise not_ready("this worker is not ready yet")
            now, prepared = self._clock(), read.prepared
            if prepared is None or prepared.number != generation.number:
                prepared = read.prepared = prepare(generation, read.request, now)
            found = answer(generation, prepared, now, self._cache)
            if isinstance(found, Query):
                return found.finish() if is_quick(found) else None
            return found
        except RequestError as error:
            return refusal(error, request_id)
        except Exception as error:
            name = endpoint_shown(generation, read.request.endpoint)
            return refusal(broken(error, request_id, name, read.fields.traceparent), request_id)
        finally:
            head[_IN_FLIGHT] -= 1


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

    def close(self, timeout: float | None = None) -> None:
        """Close the connection when what waits for it has been sent."""
        self._hot_path.flush()
        super().close(timeout)
