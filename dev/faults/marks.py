"""Decisions of operators that must outlive every kill: a pin, a rollback, a quarantine."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from dev.faults.moments import saved_state
from dev.faults.operator import Operator
from dev.faults.project import TOKEN, Source, snapshot_id
from tests.http_replies import ask
from tests.service_process import Running, running

MARKED = ("pinned", "rolled_back", "quarantined")


def mark_all(sources: Mapping[str, Source], cache: Path) -> dict[str, Any]:
    """Have one dataset pinned, one rolled back, one with a snapshot in quarantine: all serve 1."""
    with running(sources["usage"].root, cache) as service:
        operator = Operator(service)
        service.wait(service.is_complete)
        _done(operator.act("pin", "pinned", snapshot_id=snapshot_id(1)))
        for name in MARKED:
            sources[name].publish(2)
        for name in ("rolled_back", "quarantined"):
            service.wait(partial(_serves, service, sources[name], 2))
        _done(operator.act("rollback", "rolled_back", reason="bad"))
        _done(operator.act("quarantine", "quarantined", snapshot_id=snapshot_id(2), reason="bad"))
        service.wait(lambda: all(served_by(service, sources[name]) == 1 for name in MARKED))
    return marks(cache)


def marks(cache: Path) -> dict[str, Any]:
    """Return what the cache says of the datasets that were marked."""
    state = saved_state(cache)["datasets"]
    kept: dict[str, Any] = {
        name: {key: state[name][key] for key in ("active", "pin", "rolled_back", "accepted")}
        for name in MARKED
    }
    files = sorted((cache / "quarantine").rglob("*.snapshot"))
    return {**kept, "files": [(path.name, path.read_text()) for path in files]}


def served_by(service: Running, source: Source) -> int:
    """Return which snapshot the last of the targets was answered from; -1 for a wrong answer."""
    number = -1
    for index, target in enumerate(source.targets):
        reply = ask(service.api, target, {"Authorization": f"Bearer {TOKEN}"})
        told = reply.headers.get("offloader-snapshot-id", "")
        number = int(told[1:]) if reply.status == 200 else -1
        if number < 0 or reply.body != source.bodies(number)[index]:
            return -1
    return number


def _serves(service: Running, source: Source, number: int) -> bool:
    return served_by(service, source) == number


def _done(answer: Mapping[str, Any]) -> None:
    assert answer["status"] == 200, answer
