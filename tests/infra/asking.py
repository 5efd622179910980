"""Ask the API port all the time, as callers do, and count what comes back.

Two callers with a keep-alive connection each, 50 requests a second each. A request on a connection
of its own that nobody takes is **refused**: an engine's port proxy accepts it and closes at once
while nothing listens behind it. Everything else that is not 200 is **failed**: another status, and
a connection that broke after it had answered before, or in the middle of an answer.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

CALLERS = 2
PAUSE_SECONDS = 0.02
MOST_ANSWERS = 20_000
ENOUGH = 50
_REFUSED = (ConnectionError, http.client.RemoteDisconnected)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one request; `sent_at` is of the monotonic clock, in seconds."""

    sent_at: float
    kind: str
    told: str = ""


@dataclass(slots=True, eq=False)
class Asking:
    """Callers at work; `outcomes` are in the order in which they became known."""

    address: tuple[str, int]
    target: str
    headers: Mapping[str, str]
    outcomes: list[Outcome] = field(default_factory=list)
    _is_over: threading.Event = field(default_factory=threading.Event)

    def failed(self) -> list[Outcome]:
        """Return what must never be."""
        return [one for one in self.outcomes if one.kind == "failed"]

    def refused(self) -> list[Outcome]:
        """Return the requests that nobody took."""
        return [one for one in self.outcomes if one.kind == "refused"]

    def answered(self, snapshot_id: str | None = None) -> int:
        """Count the answers, those of one snapshot when it is named."""
        wanted = ("answered", snapshot_id)
        return sum(
            one.kind == "answered" if snapshot_id is None else (one.kind, one.told) == wanted
            for one in self.outcomes
        )

    def is_answered_again(self) -> bool:
        """Tell whether some were refused and the last ones were answered."""
        last = self.outcomes[-ENOUGH:]
        return bool(self.refused()) and all(one.kind == "answered" for one in last)

    def gap_seconds(self) -> float:
        """Return the seconds from the first refused request to the first answer after the last."""
        refused = [one.sent_at for one in self.refused()]
        if not refused:
            return 0.0
        later = (one.sent_at for one in self.outcomes if one.kind == "answered")
        return min(sent_at for sent_at in later if sent_at > refused[-1]) - min(refused)

    def ask_until_over(self) -> None:
        """Be one caller."""
        connection = http.client.HTTPConnection(*self.address, timeout=15)
        while len(self.outcomes) < MOST_ANSWERS and not self._is_over.wait(PAUSE_SECONDS):
            self.outcomes.append(self._ask(connection))
        connection.close()

    def end(self) -> None:
        """Have every caller stop after its next answer."""
        self._is_over.set()

    def _ask(self, connection: http.client.HTTPConnection) -> Outcome:
        is_new, sent_at = connection.sock is None, time.monotonic()
        try:
            connection.request("GET", self.target, headers=dict(self.headers))
            response = connection.getresponse()
        except OSError as error:
            connection.close()
            is_refused = is_new and isinstance(error, _REFUSED)
            return Outcome(sent_at, "refused" if is_refused else "failed", repr(error))
        return _outcome_of(response, sent_at)


@contextmanager
def asking(address: tuple[str, int], target: str, headers: Mapping[str, str]) -> Iterator[Asking]:
    """Ask until the block ends; then every caller has its last answer."""
    made = Asking(address, target, headers)
    callers = [threading.Thread(target=made.ask_until_over, daemon=True) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    try:
        yield made
    finally:
        made.end()
        for caller in callers:
            caller.join()


def _outcome_of(response: http.client.HTTPResponse, sent_at: float) -> Outcome:
    try:
        response.read()
    except (OSError, http.client.HTTPException) as error:
        return Outcome(sent_at, "failed", repr(error))
    if response.status != 200:
        return Outcome(sent_at, "failed", str(response.status))
    return Outcome(sent_at, "answered", str(response.getheader("Offloader-Snapshot-Id")))
