"""What a refusal costs tells nothing of what exists: counted in lines that run, not in time."""

from __future__ import annotations

import gc
import sys
from dataclasses import replace
from types import CodeType, FrameType
from typing import Any

from offloader.errors import RequestError
from offloader.service.worker.answer import begin
from offloader.service.worker.prepare import Request
from tests.service.worker.test_answer import BEARER, KEY, WATERMARK, generation

Step = tuple[CodeType, int]


def steps(request: Request, *, endpoints: frozenset[str] = KEY.endpoints) -> list[Step]:
    """Return every line that is run until a request is refused, in order."""
    made = generation(replace(KEY, endpoints=endpoints))
    found: list[Step] = []

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            found.append((frame.f_code, frame.f_lineno))
        return trace

    before = sys.gettrace()
    gc.disable()  # it would run lines of its own, such as those of finalizers
    sys.settrace(trace)
    try:
        begin(made, request, WATERMARK)
    except RequestError:
        return found
    finally:
        sys.settrace(before)
        gc.enable()
    raise AssertionError("it was not refused")


def test_what_is_not_granted_costs_what_is_not_there_does() -> None:
    """A 404 runs the same lines for both, whatever else is wrong with the request."""
    for query in (b"", b"nonsense=1"):
        absent = steps(Request("absent", query, BEARER))
        hidden = steps(Request("usage", query, BEARER), endpoints=frozenset({"cold"}))
        assert len(absent) > 5
        assert hidden == absent


def test_an_unknown_token_costs_the_same_for_every_endpoint() -> None:
    """A 401 runs the same lines for a name that is served and for one that is not."""
    served = steps(Request("usage", b"", "Bearer unknown"))
    assert len(served) > 5
    assert steps(Request("absent", b"", "Bearer unknown")) == served
