"""What is kept of requests on either path, and that answers do not depend on it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from offloader.service.worker.generation import Generation
from offloader.web.kept_requests import KeptRequests
from offloader.web.request_head import LINE, FieldReader
from tests.web.raw_requests import KEY, TARGET, head
from tests.web.site import NOW, make_generation, shown, site, talk

GOOD = head(TARGET + b"?limit=1", KEY)


@pytest.mark.parametrize("path", ["on", "off"])
def test_a_request_that_comes_again_is_answered_as_things_are_now(path: str) -> None:
    """A new generation's rows, keys and endpoints count at once, and a key's expiry always does."""
    table = [("t0", "a1", 1)]
    generations: list[tuple[Generation | None, float, int]] = [
        (make_generation(1), NOW, 200),
        (make_generation(2, rows=table), NOW, 200),
        (make_generation(3, is_key_active=False), NOW, 401),
        (make_generation(4), NOW, 200),
        (replace(make_generation(5), endpoints={}), NOW, 404),
        (make_generation(6), NOW, 200),
        (None, NOW, 503),
        (make_generation(7), NOW + 59, 200),
        (make_generation(7), NOW + 60, 401),
    ]
    told = []
    with site(None) as made:
        for generation, now, status in generations:
            made.generation, made.now = generation, now
            (first, _), (second, _), _ = talk(made, path, [(GOOD, None)] * 2)
            assert first.startswith(b"HTTP/1.1 %d " % status)
            assert shown(second) == shown(first)
            told.append(first.partition(b"\r\n\r\n")[2])
    assert told[0] == told[3] == told[5] == told[7]
    assert json.loads(told[0])["data"][0]["calls"] == 0
    assert json.loads(told[1])["data"] == [{"tenant": "t0", "account": "a1", "calls": 1}]


def test_kept_requests_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes first, and a long one is not kept."""
    monkeypatch.setattr("offloader.web.kept_requests.KEPT_REQUESTS", 3)
    kept = KeptRequests[int]()
    for number in range(5):
        kept.keep(b"%d" % number, number)
    kept.keep(b"l" * 513, 5)
    assert [kept.get(b"%d" % number) for number in range(5)] == [None, None, 2, 3, 4]
    assert kept.get(b"l" * 513) is None


def test_heads_are_kept_within_bounds() -> None:
    """At most 512, of at most 2 KiB, none with a request id; what is read does not depend on it."""
    reader = FieldReader()

    def read(*fields: bytes) -> object:
        data = head(TARGET, *fields)
        line = LINE.match(data)
        assert line is not None
        return reader.read(data, line.end())

    first = read(KEY)
    assert read(KEY) is first
    for number in range(512):
        read(b"Cookie: %d" % number)
    assert read(KEY) == first
    assert read(KEY) is not first
    for fields in ((b"X-Request-Id: a",), (b"Cookie: " + b"c" * 2048,)):
        assert read(*fields) is not None
        assert read(*fields) is not read(*fields)
