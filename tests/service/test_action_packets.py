"""The packets between a worker and the reloader: all that is sent is read, nothing else is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from offloader.service.action_packets import (
    MAX_TEXT,
    MAX_WAIT_SECONDS,
    read_request,
    read_result,
    request_packet,
    result_packet,
)
from offloader.service.actions import KINDS, Action, Result
from offloader.shared.attach import MAX_PACKET_BYTES

ACTION = Action("pin", "usage", "0123456789ab", "s0001", "Übel, \u4e0b", accept=True)
RESULT = Result("done", "pinned", "c", "h", "s0002", None, 7)
REQUEST: dict[str, Any] = request_packet(ACTION, 30)
ANSWER: dict[str, Any] = result_packet(RESULT)


def sent(packet: object) -> Any:
    """Return a packet as it comes out of the other end."""
    return json.loads(json.dumps(packet))


@pytest.mark.parametrize("wait_seconds", [0, 0.5, MAX_WAIT_SECONDS])
@pytest.mark.parametrize("kind", KINDS)
def test_a_request_is_read_as_it_was_sent(kind: Any, wait_seconds: float) -> None:
    """Every field, for every kind, and the wait from 0 to its most."""
    action = Action(kind, "usage", "0123456789ab", reason="r")
    assert read_request(sent(request_packet(action, wait_seconds))) == (action, wait_seconds)


def test_a_result_is_read_as_it_was_sent() -> None:
    """Also without snapshots."""
    for result in (RESULT, Result("pending", "later")):
        assert read_result(sent(result_packet(result))) == result


def test_a_result_of_any_length_fits_a_packet() -> None:
    """Long texts are cut, whatever they are made of."""
    packet = result_packet(Result("failed", "\U0001f525" * 90_000, hint="\U0001f525" * 90_000))
    result = read_result(sent(packet))
    assert (len(result.message), len(result.hint)) == (MAX_TEXT, MAX_TEXT)
    assert len(json.dumps(packet)) < MAX_PACKET_BYTES


@pytest.mark.parametrize(
    "packet",
    [
        {},
        {**REQUEST, "more": 1},
        {"action": REQUEST["action"]},
        {**REQUEST, "wait_seconds": "30"},
        {**REQUEST, "wait_seconds": True},
        {**REQUEST, "wait_seconds": None},
        {**REQUEST, "wait_seconds": 600.1},
        {**REQUEST, "wait_seconds": float("nan")},
        {**REQUEST, "wait_seconds": -1},
        {**REQUEST, "action": None},
        {**REQUEST, "action": {"kind": "refresh"}},
        {**REQUEST, "action": {**REQUEST["action"], "more": ""}},
        {**REQUEST, "action": {**REQUEST["action"], "kind": "explode"}},
        {**REQUEST, "action": {**REQUEST["action"], "dataset": 7}},
        {**REQUEST, "action": {**REQUEST["action"], "reason": None}},
        {**REQUEST, "action": {**REQUEST["action"], "accept": 1}},
    ],
)
def test_anything_else_is_no_request(packet: dict[str, Any]) -> None:
    """A field more or less, another type, an unknown kind, a wait without end."""
    with pytest.raises(ValueError, match=r"packet|fields|type|known|range"):
        read_request(packet)


@pytest.mark.parametrize(
    "packet",
    [
        {},
        {"taken": True},
        {"result": None},
        {"result": {"outcome": "done"}},
        {"result": {**ANSWER["result"], "outcome": "perhaps"}},
        {"result": {**ANSWER["result"], "message": None}},
        {"result": {**ANSWER["result"], "to_snapshot": 1}},
        {"result": {**ANSWER["result"], "generation": True}},
        {**ANSWER, "more": 1},
    ],
)
def test_anything_else_is_no_result(packet: dict[str, Any]) -> None:
    """A field more or less, another type, an unknown outcome."""
    with pytest.raises(ValueError, match=r"packet|fields|type|known"):
        read_result(packet)
