"""Judge answers by their bytes: right for one snapshot as a whole, and never one gone backwards.

Bodies are looked up, not parsed, so that the load generator costs little beside what it loads.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "
_MAX_SAMPLES = 10
_SHOWN_BYTES = 600


@dataclass(frozen=True, slots=True)
class Expected:
    """The one right answer of a target while a snapshot is served."""

    number: int
    target: int
    snapshot_header: bytes
    watermark_header: bytes


@dataclass(slots=True)
class Judge:
    """What was seen so far. `wrong` counts by kind, `samples` show the first ones.

    `newest` is the greatest snapshot that any answer was of: whoever asks after that answer may
    not get an older one, whichever worker answers.
    """

    newest: int = 0
    answers: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    samples: list[str] = field(default_factory=list)
    _expected: dict[bytes, Expected] = field(default_factory=dict)
    _etags: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def expect(self, number: int, snapshot_id: str, watermark: str, bodies: list[str]) -> None:
        """Take the answers of snapshot `number`, one body a target, for right from now on."""
        for target, body in enumerate(bodies):
            self._expected[body.encode()] = Expected(
                number,
                target,
                b"\r\nOffloader-Snapshot-Id: %s\r\n" % snapshot_id.encode(),
                b"\r\nOffloader-Watermark: %s\r\n" % watermark.encode(),
            )

    def take(self, received: bytes, target: int, floor: int) -> bool:
        """Judge what was received; return False while the answer is not complete.

        `floor` is what `newest` was when the request was sent.
        """
        end = received.find(_HEAD_END)
        if end < 0:
            return False
        expected = self._expected.get(received[end + 4 :])
        if expected is None:
            if not _is_complete(received, end):
                return False
            self._note("status" if b" 200 " not in received[:14] else "unknown body", received)
            return True
        self.answers += 1
        fault = self._fault(expected, received[: end + 2], target, floor)
        if fault:
            self._note(fault, received)
        elif expected.number > self.newest:
            self.newest = expected.number
        return True

    def note(self, kind: str) -> None:
        """Count something wrong that is no answer."""
        self._note(kind, b"")

    def _fault(self, expected: Expected, head: bytes, target: int, floor: int) -> str:
        if expected.target != target:
            return "other target"
        if not head.startswith(b"HTTP/1.1 200 "):
            return "status"
        if expected.snapshot_header not in head or expected.watermark_header not in head:
            return "mixed"
        at = head.find(b"\r\nETag: ")
        etag = head[at + 8 : head.find(b"\r\n", at + 8)] if at >= 0 else b""
        if not etag or self._etags.setdefault((expected.number, target), etag) != etag:
            return "etag"
        if b"\r\nconnection: close\r\n" in head.lower():
            return "closing"
        return "backwards" if expected.number < floor else ""

    def _note(self, kind: str, received: bytes) -> None:
        self.wrong[kind] += 1
        if len(self.samples) < _MAX_SAMPLES:
            shown = received[:_SHOWN_BYTES].decode("utf-8", "replace")
            self.samples.append(f"{kind}: {shown}")


def _is_complete(received: bytes, end: int) -> bool:
    head = received[: end + 2].lower()
    at = head.find(_LENGTH)
    if at < 0:
        return True
    length = int(head[at + len(_LENGTH) : head.find(b"\r\n", at)])
    return len(received) - end - 4 >= length
