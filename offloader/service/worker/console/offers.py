"""Which actions an operator is offered for a dataset, each with what it leads from and to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from offloader.service.actions import Kind

NOTHING_SERVED = "nothing"


@dataclass(frozen=True, slots=True)
class Offer:
    """One action. `before` and `after` say in a few words what is served then and now.

    `choices` are snapshots that may be named instead of `after`; `takes` are the fields of the
    action's body that make sense here.
    """

    kind: Kind
    label: str
    before: str
    after: str
    effect: str
    choices: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


def offers_of(told: Mapping[str, Any]) -> tuple[Offer, ...]:
    """Return what can be done to a dataset now; `told` is what `/diagnostics` says of it."""
    active, previous = told.get("snapshot_id"), (told.get("previous") or {}).get("snapshot_id")
    pin = told.get("pinned") or {}
    made = [_refresh(active, pin)]
    if active and previous and not pin:
        made.append(_rollback(active, previous))
    if pin.get("by") != "config":
        made += [_pin(told, active)] if not pin else [_unpin(pin)]
    if active:
        made.append(_rebuild(active))
    if active and previous and not pin:
        made.append(_quarantine(active, previous))
    return tuple(made)


def why_not(told: Mapping[str, Any]) -> str:
    """Return why there is no way back, empty when there is one."""
    pin = told.get("pinned") or {}
    if pin.get("by") == "config":
        return "The config pins it: change pin in the dataset's file, for every replica."
    if pin:
        return "It is pinned: unpin it before a rollback."
    if told.get("snapshot_id") and not told.get("previous"):
        return "There is no previous snapshot to roll back to."
    return ""


def _refresh(active: str | None, pin: Mapping[str, str]) -> Offer:
    after = f"{pin['snapshot_id']}, its pin" if pin else "the newest that is published"
    effect = "The source is looked at now. A snapshot that fails a check is not served."
    return Offer("refresh", "Refresh", active or NOTHING_SERVED, after, effect, takes=("accept",))


def _rollback(active: str, previous: str) -> Offer:
    effect = f"No request fails. {active} stays away until a newer snapshot is published."
    return Offer("rollback", "Roll back", active, previous, effect, takes=("reason",))


def _pin(told: Mapping[str, Any], active: str | None) -> Offer:
    previous = (told.get("previous") or {}).get("snapshot_id")
    known = (active, previous, *reversed(told.get("rolled_back") or ()))
    choices = tuple(dict.fromkeys(one for one in known if one))
    effect = "It stays on this snapshot, whatever is published, until it is unpinned."
    before = active or NOTHING_SERVED
    return Offer(
        "pin", "Pin", before, active or "", effect, choices, ("choice", "reason", "accept")
    )


def _unpin(pin: Mapping[str, str]) -> Offer:
    effect = "It follows its source again: the newest snapshot swaps in."
    before = f"pinned to {pin['snapshot_id']}"
    return Offer("unpin", "Unpin", before, "the newest that is published", effect, (), ("accept",))


def _rebuild(active: str) -> Offer:
    effect = "The segment is built anew from the source, beside the one that is served."
    return Offer("rebuild", "Rebuild", active, f"{active}, built anew", effect)


def _quarantine(active: str, previous: str) -> Offer:
    effect = f"{active} is never served again on this cache volume."
    return Offer("quarantine", "Quarantine", active, previous, effect, takes=("reason",))
