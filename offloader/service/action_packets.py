"""An operator's action on its way from a worker to the reloader, as packets of JSON.

    worker                                                        reloader
    {"action": {fields of Action}, "wait_seconds": 30}  ────────►
                                                        ◄────────  {"taken": true}
                                                        ◄────────  {"result": {fields of Result}}

A connection that ends before an action is taken means that nothing comes of it. Both ends are
children of the same main, whose attach address gives the socket its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, TypeVar, get_args

from offloader.service.actions import KINDS, Action, Outcome, Result

MAX_WAIT_SECONDS = 600.0
MAX_TEXT = 2000
TAKEN = {"taken": True}

_TYPES: Mapping[str, tuple[type, ...]] = {
    "Kind": (str,),
    "Outcome": (str,),
    "str": (str,),
    "str | None": (str, type(None)),
    "bool": (bool,),
    "int": (int,),
}
_T = TypeVar("_T")


def actions_address(address: str) -> str:
    """Return where the reloader hears actions, given main's attach address."""
    return f"{address}-actions"


def request_packet(action: Action, wait_seconds: float) -> dict[str, object]:
    """Return what a worker sends; it hangs up once `wait_seconds` are over."""
    return {"action": asdict(action), "wait_seconds": wait_seconds}


def read_request(packet: Mapping[str, Any]) -> tuple[Action, float]:
    """Return an action and how long its sender waits; raises ValueError for anything else."""
    if packet.keys() != {"action", "wait_seconds"}:
        raise ValueError("a packet is not a request")
    action, wait_seconds = _read(Action, packet["action"]), packet["wait_seconds"]
    if action.kind not in KINDS:
        raise ValueError("an action is not known")
    if type(wait_seconds) not in (int, float) or not 0 <= wait_seconds <= MAX_WAIT_SECONDS:
        raise ValueError("a wait is out of range")
    return action, float(wait_seconds)


def result_packet(result: Result) -> dict[str, object]:
    """Return what the reloader answers; long texts are cut, so that it always fits a packet."""
    cut = {"message": result.message[:MAX_TEXT], "hint": result.hint[:MAX_TEXT]}
    return {"result": {**asdict(result), **cut}}


def read_result(packet: Mapping[str, Any]) -> Result:
    """Return a result; raises ValueError for anything else."""
    if packet.keys() != {"result"}:
        raise ValueError("a packet is not a result")
    result = _read(Result, packet["result"])
    if result.outcome not in get_args(Outcome):
        raise ValueError("an outcome is not known")
    return result


def _read(kind: type[_T], document: object) -> _T:
    named = {one.name: str(one.type) for one in fields(kind)}  # type: ignore[arg-type]
    if not isinstance(document, dict) or document.keys() != named.keys():
        raise ValueError(f"these are not the fields of {kind.__name__}")
    for name, value in document.items():
        if type(value) not in _TYPES[named[name]]:
            raise ValueError(f"{name} is of another type")
    return kind(**document)
