"""What an operator can ask of a dataset, and what is answered; the same for routes and commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["refresh", "rollback", "pin", "unpin", "rebuild", "quarantine"]
Outcome = Literal["done", "unchanged", "refused", "failed", "pending"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Action:
    """One thing asked for. `by` is the fingerprint of the token it was asked with.

    `snapshot_id` is for pin and quarantine, empty for the active one. `accept` lets a pin or an
    unpin lead to a snapshot that was rolled back or quarantined.
    """

    kind: Kind
    dataset: str
    by: str
    snapshot_id: str = ""
    reason: str = ""
    accept: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an action.

    `done` and `unchanged` are as wished. `refused` breaks a rule, `failed` could not be done:
    both have a `code` and leave what is served as it was. `pending` goes on without the caller.
    `from_snapshot` and `to_snapshot` are what was served before and after.
    """

    outcome: Outcome
    message: str
    code: str = ""
    hint: str = ""
    from_snapshot: str | None = None
    to_snapshot: str | None = None
    generation: int = 0
