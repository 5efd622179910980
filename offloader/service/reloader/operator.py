"""An operator's actions: which task each means, whether it is allowed, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from offloader.errors import SnapshotError
from offloader.service import log
from offloader.service.actions import Action, Result
from offloader.service.cache import Cache
from offloader.service.lookout import Lookout, find_kept
from offloader.service.reloader.decide import needs_accept
from offloader.service.reloader.task import Task, Wish
from offloader.service.state import DatasetState, Snapshot


@dataclass(frozen=True, slots=True)
class Refusal(Exception):
    """Why an action is not carried out."""

    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Allowed:
    """An action that no rule forbids, as a task.

    `accepts` is the digest of a manifest that may be served from now on, `away` the snapshot to
    be quarantined. A task without work (`has_work`) only changes what is known.
    """

    action: Action
    task: Task
    accepts: str = ""
    away: Snapshot | None = None
    has_work: bool = True


def allow(action: Action, task: Task, lookout: Lookout) -> Allowed:
    """Return what an action means; `task` is what would be done for the dataset anyway.

    Raises Refusal when a rule forbids it, SnapshotError when the source must be asked and fails.
    """
    asked = replace(task, is_asked=True)
    if action.kind == "refresh":
        return Allowed(action, asked, _newest(asked, lookout) if action.accept else "")
    if action.kind == "rollback":
        return _rollback(action, asked)
    if action.kind == "pin":
        return _pin(action, asked, lookout.cache)
    if action.kind == "unpin":
        return _unpin(action, asked, lookout)
    if action.kind == "rebuild":
        active = _served(asked)
        return Allowed(action, replace(asked, wish="rebuild", target=active))
    return _quarantine(action, asked, lookout.cache)


def before_work(allowed: Allowed, known: DatasetState) -> DatasetState:
    """Return what is known of the dataset as soon as the action is allowed."""
    if allowed.accepts:
        is_active = known.active is not None and known.active.manifest_digest == allowed.accepts
        known = known.accepting(allowed.accepts)
        known = replace(known, accepted="") if is_active else known
    if allowed.action.kind == "unpin":
        known = replace(known, pin="")
    if allowed.action.kind == "pin" and not allowed.has_work and known.active:
        known = replace(known, pin=known.active.snapshot_id)
    if allowed.action.kind == "rollback":
        known = known.rolling_back()
    away, previous = allowed.away, known.previous
    if away and away.manifest_digest == known.accepted:
        known = replace(known, accepted="")
    if away and previous and away.manifest_digest == previous.manifest_digest:
        known = replace(known, previous=None)
    return known


def is_outdated(allowed: Allowed, known: DatasetState) -> bool:
    """Tell whether an action is of a snapshot that was served when it was asked for, and no more.

    One that follows the source, or names another snapshot, is not.
    """
    is_of_active = allowed.action.kind in ("rollback", "rebuild", "quarantine")
    is_pin_there = allowed.action.kind == "pin" and not allowed.has_work
    return (is_of_active or is_pin_there) and allowed.task.known.active != known.active


def after_swap(wish: Wish, known: DatasetState, snapshot: Snapshot) -> DatasetState:
    """Return what is known of the dataset once the snapshot of a task is served."""
    known = replace(known, accepted="")  # an operator's word counts once
    if wish in ("rollback", "quarantine"):
        return known.replaced_by(snapshot)
    known = known.activated(snapshot)
    if wish == "pin":
        return replace(known, pin=snapshot.snapshot_id)
    if wish == "rebuild":
        return replace(known, copy=known.copy + 1)
    return known


def after_failure(wish: Wish, known: DatasetState) -> DatasetState:
    """Return what is known of the dataset once a task failed: a rollback is called off."""
    if wish != "rollback":
        return known
    return replace(known, rolled_back=tuple(s for s in known.rolled_back if s != known.active))


def audit(action: Action, result: Result) -> None:
    """Write the one line that says who did what, and what came of it."""
    fields: dict[str, Any] = {
        "by": action.by,
        "action": action.kind,
        "dataset": action.dataset,
        "from": result.from_snapshot,
        "to": result.to_snapshot,
        "result": result.outcome,
        "code": result.code,
        "reason": action.reason,
        "accept": action.accept,
    }
    log.event("audit", **fields)


def _rollback(action: Action, task: Task) -> Allowed:
    _refuse_pinned(task)
    previous = task.known.previous
    _served(task)
    if previous is None:
        hint = "pin a snapshot that is in the cache, or publish a repaired one"
        raise Refusal("no_previous_snapshot", "there is no previous snapshot to go back to", hint)
    if previous.manifest_digest in task.quarantined:
        raise _needs_accept(previous.snapshot_id, "quarantined")
    return Allowed(action, replace(task, wish="rollback", target=previous))


def _pin(action: Action, task: Task, cache: Cache) -> Allowed:
    _refuse_config_pin(task)
    active = task.known.active
    wanted = action.snapshot_id or _served(task).snapshot_id
    if active is not None and active.snapshot_id == wanted:
        return Allowed(action, task, has_work=False)
    snapshot, digest = _kept(task, cache, wanted), ""
    why = needs_accept(task.known, snapshot.manifest_digest, task.quarantined)
    if why:
        if not action.accept:
            raise _needs_accept(wanted, why)
        digest = snapshot.manifest_digest
    return Allowed(action, replace(task, wish="pin", target=snapshot), digest)


def _unpin(action: Action, task: Task, lookout: Lookout) -> Allowed:
    """Follow the source again. One that does not answer now is judged when it does."""
    _refuse_config_pin(task)
    try:
        published = lookout.look(task.project, task.dataset).manifest
    except SnapshotError:
        if action.accept:
            raise
        return Allowed(action, task)
    why = needs_accept(task.known, published.digest, task.quarantined)
    if why and not action.accept:
        raise _needs_accept(published.snapshot_id, why)
    accepts = published.digest if action.accept else ""
    return Allowed(action, task, accepts)


def _quarantine(action: Action, task: Task, cache: Cache) -> Allowed:
    active = task.known.active
    wanted = action.snapshot_id or _served(task).snapshot_id
    if active is None or wanted != active.snapshot_id:
        away = _kept(task, cache, wanted)
        _refuse_last(task, away)
        return Allowed(action, replace(task, wish="quarantine"), away=away, has_work=False)
    _refuse_pinned(task)
    previous = task.known.previous
    if previous is None or previous.manifest_digest in task.quarantined:
        message = "there is no other snapshot to serve instead"
        hint = "publish a repaired snapshot first; it swaps in by itself"
        raise Refusal("no_previous_snapshot", message, hint)
    return Allowed(action, replace(task, wish="quarantine", target=previous), away=active)


def _refuse_last(task: Task, away: Snapshot) -> None:
    """Refuse to put away what is to be served next, where what is served is put away already."""
    active, previous = task.known.active, task.known.previous
    if active is None or previous is None or active.manifest_digest not in task.quarantined:
        return
    if away.manifest_digest == previous.manifest_digest:
        message = f"{active.snapshot_id} is put away, too, and this is what is to replace it"
        hint = "publish a repaired snapshot first; it swaps in by itself"
        raise Refusal("no_previous_snapshot", message, hint)


def _newest(task: Task, lookout: Lookout) -> str:
    return lookout.look(task.project, task.dataset).manifest.digest


def _served(task: Task) -> Snapshot:
    if task.known.active is None:
        hint = "see its last_attempt in /diagnostics"
        raise Refusal("nothing_served", "the dataset serves no snapshot yet", hint)
    return task.known.active


def _kept(task: Task, cache: Cache, snapshot_id: str) -> Snapshot:
    for snapshot in task.known.snapshots():
        if snapshot.snapshot_id == snapshot_id:
            return snapshot
    kept = find_kept(cache, task.name, snapshot_id)
    if kept is None:
        hint = "publish it again first; /diagnostics names those that are known"
        raise Refusal("snapshot_unknown", f"the snapshot {snapshot_id} is not known here", hint)
    return Snapshot.of(kept.manifest)


def _refuse_config_pin(task: Task) -> None:
    if task.dataset.pin:
        message = f"the config pins the dataset to {task.dataset.pin}"
        raise Refusal("pinned_by_config", message, "change pin in the dataset's file")


def _refuse_pinned(task: Task) -> None:
    _refuse_config_pin(task)
    if task.known.pin:
        message = f"the dataset is pinned to {task.known.pin}"
        raise Refusal("pinned", message, "unpin it first, or pin another snapshot")


def _needs_accept(snapshot_id: str, why: str) -> Refusal:
    message = f"the snapshot {snapshot_id} was put away: {why.replace('_', ' ')}"
    hint = "find out why; to serve it all the same, ask again with accept"
    return Refusal("needs_accept", message, hint)
