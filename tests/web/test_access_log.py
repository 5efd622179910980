"""Which requests are logged, and what their lines say; the same on both paths of a request."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from offloader.service.log_repeats import WINDOW_SECONDS
from tests.web.raw_requests import KEY, TARGET, TRACE, head
from tests.web.site import Site, make_generation, site, talk

GENERATION = make_generation(7)
GOOD = head(TARGET + b"?limit=2", KEY, b"X-Request-Id: r-1", b"traceparent: " + TRACE)
NO_KEY = head(TARGET, b"X-Request-Id: r-2")
UNKNOWN = head(b"/v1/endpoints/unheard_of", KEY, b"X-Request-Id: r-3")
BAD = head(TARGET + b"?limit=x", KEY, b"X-Request-Id: r-4")
PATHS = pytest.mark.parametrize("path", ["on", "off"])


def logged(path: str, policy: str, *requests: bytes) -> list[dict[str, Any]]:
    """Send requests, and return the lines they left behind before the worker ended."""
    with site(GENERATION, ACCESS_LOG=policy) as made:
        talk(made, path, [(request, None) for request in requests])
        return list(made.lines)


@PATHS
def test_a_line_says_what_was_asked_and_what_came_of_it(path: str) -> None:
    """With the ids of the request and of the trace it is part of."""
    (line,) = logged(path, "all", GOOD)
    assert 0 < line.pop("seconds") < 10
    assert line.pop("bytes") > 100
    assert line == {
        "event": "request",
        "request_id": "r-1",
        "method": "GET",
        "endpoint": "usage",
        "status": 200,
        "generation": 7,
        "snapshot": GENERATION.endpoints["usage"].plan.segment.snapshot_id,  # type: ignore[union-attr]
        "code": "",
        "rows": 2,
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "span_id": "b7ad6b7169203331",
    }


@PATHS
@pytest.mark.parametrize(("policy", "statuses"), [("off", []), ("errors", [401, 404, 422])])
def test_errors_are_those_from_400_on(path: str, policy: str, statuses: list[int]) -> None:
    """A wrong key, an unknown name, a bad param; not what was answered."""
    lines = logged(path, policy, GOOD, NO_KEY, UNKNOWN, BAD)
    assert [line["status"] for line in lines] == statuses
    assert [line["code"] for line in lines] == ["unauthorized", "not_found", "bad_type"][
        : len(statuses)
    ]


@PATHS
def test_errors_that_repeat_are_counted(path: str) -> None:
    """Of each endpoint and status one in ten seconds; the last stands for those between."""
    with site(GENERATION, ACCESS_LOG="errors") as made:
        talk(made, path, [(NO_KEY, None), (BAD, None), (NO_KEY, None), (NO_KEY, None)])
        assert [(line["status"], line.get("repeated")) for line in made.lines] == [
            (401, None),
            (422, None),
        ]
        made.app.ctx.record.flush()
        assert [(line["status"], line.get("repeated")) for line in made.lines[2:]] == [(401, 2)]
    assert WINDOW_SECONDS == 10.0


@PATHS
def test_all_are_all(path: str) -> None:
    """Nothing is counted instead."""
    lines = logged(path, "all", *[NO_KEY] * 3, *[GOOD] * 3)
    assert [line["status"] for line in lines] == [401] * 3 + [200] * 3


@PATHS
def test_what_is_only_what_somebody_sent_is_no_name(path: str) -> None:
    """An endpoint that there is not, a method that nobody has."""
    lines = logged(path, "all", UNKNOWN, head(TARGET, KEY, method=b"SECRET"), head(b"/secret"))
    assert [(line["method"], line["endpoint"]) for line in lines] == [
        ("GET", "-"),
        ("-", "-"),
        ("GET", "-"),
    ]
    assert "secret" not in str(lines).lower()


@PATHS
def test_a_trace_that_is_not_valid_is_not_named(path: str) -> None:
    """And one that was sent twice."""
    sent = b"traceparent: " + TRACE
    odd = (b"traceparent: 00-1-2-3", b"traceparent: " + TRACE.upper(), sent + b"\r\n" + sent)
    for line in logged(path, "all", *(head(TARGET, KEY, field) for field in odd)):
        assert not line.keys() & {"trace_id", "span_id"}


@PATHS
def test_a_trace_changes_no_answer(path: str) -> None:
    """Byte for byte, and nothing of it is kept for who asks without one."""
    with site(GENERATION) as made:
        plain, traced = (
            talk(made, path, [(head(TARGET, KEY, b"X-Request-Id: r", *more), None)] * 3)
            for more in ((), (b"traceparent: " + TRACE, b"tracestate: a=b"))
        )
    assert plain == traced


@PATHS
def test_a_fault_names_request_and_trace(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that who was told the request id finds the traceback."""

    def broken(*_: object) -> None:
        raise ValueError("secret")

    monkeypatch.setattr("offloader.web.hot_path.answer", broken)
    monkeypatch.setattr("offloader.web.api.answer", broken)
    with site(GENERATION) as made:
        talk(made, path, [(GOOD, None)])
        broke, request = made.lines
    assert broke == {
        "event": "request_broke",
        "request_id": "r-1",
        "endpoint": "usage",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "span_id": "b7ad6b7169203331",
    }
    assert (request["status"], request["code"], request["request_id"]) == (500, "internal", "r-1")


def test_what_is_kept_of_a_line_is_small() -> None:
    """Neither a body nor a generation waits with it for the end of the ten seconds."""
    with site(GENERATION, ACCESS_LOG="errors") as made:
        talk(made, "on", [(NO_KEY, None)] * 2)
        (window,) = _windows(made)
        assert all(isinstance(part, str | int | None) for part in window.last)


def _windows(made: Site) -> list[Any]:
    """Return what a worker counts at the moment."""
    return list(made.app.ctx.record._repeats._windows.values())


@PATHS
def test_a_refusal_leaves_nothing_to_collect(path: str) -> None:
    """A name in a frame that the error's traceback holds would have all of it wait to be freed."""
    with site(GENERATION, ACCESS_LOG="off") as made:
        talk(made, path, [(NO_KEY, None)])
        gc.collect()
        gc.disable()
        try:
            talk(made, path, [(NO_KEY, None)])
            one = gc.collect()
            talk(made, path, [(NO_KEY, None)] * 21)
            assert gc.collect() - one < 20
        finally:
            gc.enable()
