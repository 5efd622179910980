"""The judge of answers sees every kind of wrong one: what it passes is right."""

from __future__ import annotations

import pytest

from dev.faults.judge import Judge

BODIES = {1: ['{"rows":1}', '{"sum":1}'], 2: ['{"rows":2}', '{"sum":2}']}


def answer(
    body: str, number: int, *, status: str = "200 OK", etag: str = '"a"', **other: int
) -> bytes:
    """Return an answer as it comes over the wire; `mark` is the snapshot of its watermark."""
    mark = other.get("mark", number)
    lines = [
        f"HTTP/1.1 {status}",
        f"ETag: {etag}",
        f"Offloader-Snapshot-Id: s{number}",
        f"Offloader-Watermark: w{mark}",
        f"content-length: {len(body)}",
        "connection: close" if other.get("close") else "connection: keep-alive",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


@pytest.fixture
def judge() -> Judge:
    made = Judge()
    for number, bodies in BODIES.items():
        made.expect(number, f"s{number}", f"w{number}", bodies)
    return made


def test_right_answers_pass(judge: Judge) -> None:
    """Body, id and watermark of one snapshot, and the newest one is remembered."""
    assert judge.take(answer(BODIES[1][0], 1), 0, 0)
    assert judge.take(answer(BODIES[2][1], 2), 1, 1)
    assert (judge.wrong, judge.newest, judge.answers) == ({}, 2, 2)


@pytest.mark.parametrize("cut", [1, 40, -1])
def test_an_answer_that_goes_on_is_waited_for(judge: Judge, cut: int) -> None:
    """Half an answer is neither right nor wrong."""
    assert not judge.take(answer(BODIES[1][0], 1)[:cut], 0, 0)
    assert judge.answers == 0
    assert not judge.wrong


WRONG = {
    "other target": (answer(BODIES[1][1], 1), 0),
    "unknown body": (answer('{"rows":9}', 1), 0),
    "status": (answer("{}", 1, status="503 Service Unavailable"), 0),
    "mixed": (answer(BODIES[1][0], 2), 0),
    "etag": (answer(BODIES[1][0], 1, etag='"b"'), 0),
    "closing": (answer(BODIES[1][0], 1, close=1), 0),
    "backwards": (answer(BODIES[1][0], 1), 2),
}


@pytest.mark.parametrize("kind", list(WRONG))
def test_wrong_answers_are_counted_by_kind(judge: Judge, kind: str) -> None:
    """Each is complete, counted once and shown."""
    assert judge.take(answer(BODIES[1][0], 1), 0, 0)
    received, floor = WRONG[kind]
    assert judge.take(received, 0, floor)
    assert judge.wrong == {kind: 1}
    assert judge.samples[0].startswith(f"{kind}: HTTP/1.1")


def test_headers_of_two_snapshots_are_mixed(judge: Judge) -> None:
    """The id of one snapshot beside the watermark of another is wrong, whatever the body."""
    assert judge.take(answer(BODIES[1][0], 1, mark=2), 0, 0)
    assert judge.wrong == {"mixed": 1}
