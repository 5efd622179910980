"""A bounded load: so many kept connections, so many requests a second, every answer judged."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count

from dev.rollout.answers import QUESTIONS, Answers, Question
from tests.http_replies import Reply

MOST_CONNECTIONS, MOST_PER_SECOND, MOST_SECONDS = 64, 2000.0, 1800.0
ANSWER_SECONDS = 30.0
# Of so many requests one has the ETag of the answer before.
_CONDITIONAL_EVERY = 3
_SHOWN_PROBLEMS = 20


@dataclass(slots=True)
class Tally:
    """What came of the requests; milliseconds by phase count from when each was due."""

    right: int = 0
    failed: int = 0
    reconnects: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    times_ms: dict[str, list[float]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All requests that were sent or should have been."""
        return self.right + self.failed


@dataclass(slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class Load:
    """Ask `address` until `stop`; `phase` is what the times are noted under."""

    def __init__(
        self, address: tuple[str, int], answers: Answers, connections: int, per_second: float
    ) -> None:
        if not (0 < connections <= MOST_CONNECTIONS and 0 < per_second <= MOST_PER_SECOND):
            message = f"at most {MOST_CONNECTIONS} connections, {MOST_PER_SECOND:.0f} a second"
            raise ValueError(message)
        self.tally = Tally()
        self.phase = "quiet"
        self._address, self._answers = address, answers
        self._connections, self._interval = connections, connections / per_second
        self._etags: dict[Question, str] = {}
        self._turn = count()
        self._is_over = threading.Event()

    def run(self) -> None:
        """Ask until the end; for a thread of its own."""
        asyncio.run(self._run())

    def stop(self) -> None:
        """Have every connection finish the request it is at."""
        self._is_over.set()

    async def _run(self) -> None:
        began = time.monotonic()
        shift = self._interval / self._connections
        await asyncio.gather(*(self._ask_on(began + n * shift) for n in range(self._connections)))

    async def _ask_on(self, due: float) -> None:
        end, connection = due + MOST_SECONDS, None
        while due < end:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if self._is_over.is_set():
                break
            phase = self.phase
            connection = await self._ask(connection)
            self.tally.times_ms.setdefault(phase, []).append((time.monotonic() - due) * 1000)
            due += self._interval
        if connection is not None:
            connection.writer.close()

    async def _ask(self, connection: _Connection | None) -> _Connection | None:
        """Ask once; return the connection when it can be used again.

        One that was closed before anything was sent is opened anew, and no failure: it was idle.
        A request that was sent is never sent again.
        """
        turn = next(self._turn)
        question = QUESTIONS[turn % len(QUESTIONS)]
        etag = self._etags.get(question, "") if turn % _CONDITIONAL_EVERY == 0 else ""
        if connection is not None and connection.reader.at_eof():
            connection.writer.close()
            connection = None
            self.tally.reconnects += 1
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                if connection is None:
                    connection = _Connection(*await asyncio.open_connection(*self._address))
                connection.writer.write(self._request(question, etag))
                reply = await _read(connection.reader)
        except (OSError, EOFError, TimeoutError) as error:
            self._fail(f"no answer: {type(error).__name__}")
            if connection is not None:
                connection.writer.close()
            return None
        self._judge(question, etag, reply)
        if reply.headers.get("connection", "").lower() == "close":
            connection.writer.close()
            self.tally.reconnects += 1
            return None
        return connection

    def _judge(self, question: Question, etag: str, reply: Reply) -> None:
        problem = self._answers.judge(question, etag, reply)
        if problem:
            self._fail(problem)
        else:
            self.tally.right += 1
            self._etags[question] = reply.headers["etag"]

    def _fail(self, problem: str) -> None:
        self.tally.failed += 1
        if problem in self.tally.problems or len(self.tally.problems) < _SHOWN_PROBLEMS:
            self.tally.problems[problem] += 1

    def _request(self, question: Question, etag: str) -> bytes:
        condition = f"If-None-Match: {etag}\r\n" if etag else ""
        return (
            f"GET {question.target} HTTP/1.1\r\nHost: offloader\r\n"
            f"Authorization: Bearer {question.token}\r\n{condition}\r\n"
        ).encode()


async def _read(reader: asyncio.StreamReader) -> Reply:
    """Read one answer, whose length its head says or which has no body. Raises EOFError."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    pairs = tuple((name, text.strip()) for name, _, text in (one.partition(":") for one in lines))
    reply = Reply(int(first.split(" ")[1]), pairs, b"")
    length = 0 if reply.status == 304 else int(reply.headers["content-length"])
    return Reply(reply.status, pairs, await reader.readexactly(length))


@contextmanager
def loading(load: Load) -> Iterator[Load]:
    """Have the load go on while the block runs."""
    thread = threading.Thread(target=load.run, name="load", daemon=True)
    thread.start()
    try:
        yield load
    finally:
        load.stop()
        with suppress(RuntimeError):
            thread.join(timeout=ANSWER_SECONDS + 5)
