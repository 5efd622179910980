"""What the load takes for a right answer, and that it finds each wrong one."""

from __future__ import annotations

import pytest

from dev.rollout.answers import Answers, Question
from tests.http_replies import Reply

ASKED = Question("/v1/endpoints/usage", "token")
OTHER = Question("/v1/endpoints/usage?limit=1", "token")
BODY = b'{"data":[%d],"meta":{"version":%d,"next_cursor":null}}'


def reply(etag: str, version: int = 1, status: int = 200, row: int = 7) -> Reply:
    """Return an answer; a 304 has no body."""
    body = BODY % (row, version) if status == 200 else b""
    return Reply(status, (("ETag", etag),) if etag else (), body)


@pytest.fixture
def answers() -> Answers:
    """Two releases are out, and the first ETag of each is known."""
    bodies = dict.fromkeys((ASKED, OTHER), BODY % (7, 0))
    made = Answers(bodies, {1, 2})
    assert [made.judge(ASKED, "", reply(f'"{n}"', n)) for n in (1, 2)] == ["", ""]
    return made


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        ("", reply('"1"')),
        ('"1"', reply('"2"', 2)),
        ('"2"', reply('"1"')),
        ('"1"', reply('"1"', status=304)),
    ],
)
def test_a_right_answer(answers: Answers, sent: str, answer: Reply) -> None:
    """Of either release, with its ETag; 304 for one that is still served."""
    assert answers.judge(ASKED, sent, answer) == ""


@pytest.mark.parametrize(
    ("sent", "answer", "problem"),
    [
        ("", reply('"1"', status=502), "status 502"),
        ("", reply('"3"', 3), "version 3 is not out"),
        ("", reply('"1"', row=8), "another body"),
        ("", reply(""), "200 with the ETag that was sent, or without one"),
        ('"1"', reply('"1"'), "200 with the ETag that was sent, or without one"),
        ("", reply('"9"'), "another ETag for the same answer, or the same for another"),
        ("", reply('"1"', 2), "another ETag for the same answer, or the same for another"),
        ('"9"', reply('"9"', status=304), "304 for the ETag of version None"),
        ('"1"', reply('"2"', status=304), "304 for the ETag of version 1"),
    ],
)
def test_a_wrong_answer(answers: Answers, sent: str, answer: Reply, problem: str) -> None:
    """Each has its own words."""
    assert answers.judge(ASKED, sent, answer) == problem


def test_an_old_release_is_wrong_once_it_is_gone(answers: Answers) -> None:
    """Its answers, and 304 for its ETags."""
    answers.out.discard(1)
    assert answers.judge(ASKED, "", reply('"1"')) == "version 1 is not out"
    assert answers.judge(ASKED, '"1"', reply('"1"', status=304)) == "304 for the ETag of version 1"
    assert answers.seen == {1: 1, 2: 1}
