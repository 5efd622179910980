"""What each request must be answered: the body of a release, and one ETag for it everywhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.http_replies import Reply

_VERSION = re.compile(rb'"version":\s*(\d+)')
# A cursor names the contract it was made under, so that of another release is another.
_CURSOR = re.compile(rb'"next_cursor":\s*"[^"]+"')


@dataclass(frozen=True, slots=True)
class Question:
    """A request to an endpoint, and the token it is asked with."""

    target: str
    token: str


_OF_ANY_TENANT = (
    "customer_usage_summary",
    "customer_usage_summary?plan=team",
    "customer_usage_summary?columns=account_id,api_calls_total&limit=5",
)
_OF_ACME = (
    "customer_usage_daily?account_id=acct_zephyr",
    "customer_usage_daily?account_id=acct_zephyr&from_date=2026-05-01",
    "customer_usage_daily?account_id=acct_zephyr&columns=usage_date,attributes&limit=100",
    "customer_top_accounts",
    "customer_top_accounts?region=eu-west",
)
QUESTIONS = tuple(
    Question(f"/v1/endpoints/{target}", token)
    for token, targets in (
        ("demo-acme", (*_OF_ANY_TENANT, *_OF_ACME)),
        ("demo-borealis", _OF_ANY_TENANT),
    )
    for target in targets
)


@dataclass(slots=True, eq=False)
class Answers:
    """Judges answers; `out` are the versions that some instance may serve now."""

    bodies: Mapping[Question, bytes]
    out: set[int]
    seen: dict[int, int] = field(default_factory=dict)
    _etags: dict[tuple[Question, int], str] = field(default_factory=dict)
    _versions: dict[tuple[Question, str], int] = field(default_factory=dict)

    def judge(self, question: Question, sent_etag: str, reply: Reply) -> str:
        """Return what is wrong with an answer, empty when it is right."""
        etag = reply.headers.get("etag", "")
        if reply.status == 304:
            version = self._versions.get((question, sent_etag))
            is_right = etag == sent_etag and not reply.body and version in self.out
            return "" if is_right else f"304 for the ETag of version {version}"
        if reply.status != 200:
            return f"status {reply.status}"
        found = _VERSION.search(reply.body)
        version = int(found[1]) if found else 0
        if version not in self.out:
            return f"version {version} is not out"
        if _of_any_version(reply.body) != self.bodies[question]:
            return "another body"
        return self._note(question, version, etag, sent_etag)

    def _note(self, question: Question, version: int, etag: str, sent_etag: str) -> str:
        if not etag or etag == sent_etag:
            return "200 with the ETag that was sent, or without one"
        known = self._etags.setdefault((question, version), etag)
        self._versions.setdefault((question, etag), version)
        if known != etag or self._versions[question, etag] != version:
            return "another ETag for the same answer, or the same for another"
        self.seen[version] = self.seen.get(version, 0) + 1
        return ""


def learn(
    ask: Callable[[str, str], Reply], questions: Sequence[Question] = QUESTIONS
) -> dict[Question, bytes]:
    """Return the body of each question, without its version and cursor.

    `ask` takes target and token. Raises RuntimeError for one that is not answered 200 with rows.
    """
    bodies = {}
    for question in questions:
        reply = ask(question.target, question.token)
        if reply.status != 200 or not reply.document["data"]:
            raise RuntimeError(f"{question.target} is answered {reply.status}, or without rows")
        bodies[question] = _of_any_version(reply.body)
    return bodies


def _of_any_version(body: bytes) -> bytes:
    return _CURSOR.sub(b'"next_cursor":"?"', _VERSION.sub(b'"version":0', body, count=1), count=1)
