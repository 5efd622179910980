"""Actions of operators over HTTP: from a body to an Action, and from a Result to an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from offloader.catalog.strict_json import parse_strict_json
from offloader.catalog.text_rules import SNAPSHOT_ID
from offloader.errors import RequestError
from offloader.service.action_packets import MAX_WAIT_SECONDS
from offloader.service.actions import Action, Kind, Outcome, Result

DEFAULT_WAIT_SECONDS = 30.0
MAX_REASON = 500
STATUSES: Mapping[Outcome, int] = {
    "done": 200,
    "unchanged": 200,
    "pending": 202,
    "refused": 409,
    "failed": 502,
}
# What a body may say beside wait_seconds.
FIELDS: Mapping[Kind, tuple[str, ...]] = {
    "refresh": ("accept",),
    "rollback": ("reason",),
    "pin": ("snapshot_id", "reason", "accept"),
    "unpin": ("accept",),
    "rebuild": (),
    "quarantine": ("snapshot_id", "reason"),
}
_MAX_DEPTH = 8
_MAX_SHOWN_NAME = 63


def read_body(kind: Kind, content_type: str, body: bytes) -> dict[str, Any]:
    """Return the fields of an action's body, which may be empty.

    Raises RequestError: 415 when it does not say that it is JSON (what a form of a web page cannot
    say either), 422 `invalid_body` when a field is not one of this action or not of its kind.
    """
    if not body:
        return {}
    if content_type.partition(";")[0].strip().lower() != "application/json":
        message = "send the body as Content-Type: application/json"
        raise RequestError(415, "invalid_request", "unsupported_media_type", message)
    document = _object(body)
    allowed = (*FIELDS[kind], "wait_seconds")
    for name, value in document.items():
        if name not in allowed:
            raise _invalid(f"{kind} takes {', '.join(allowed)} only", name[:_MAX_SHOWN_NAME])
        is_valid, wanted = _RULES[name]
        if not is_valid(value):
            raise _invalid(f"{name} must be {wanted}", name)
    return document


def action_of(kind: Kind, dataset: str, by: str, fields: Mapping[str, Any]) -> Action:
    """Return the action that a body asks for; `by` is the fingerprint of the token."""
    asked = {name: fields[name] for name in FIELDS[kind] if name in fields}
    return Action(kind, dataset, by, **asked)


def told(action: Action, result: Result) -> dict[str, object]:
    """Return the answer's body."""
    return {
        "action": action.kind,
        "dataset": action.dataset,
        "outcome": result.outcome,
        "code": result.code,
        "message": result.message,
        "hint": result.hint,
        "from": result.from_snapshot,
        "to": result.to_snapshot,
        "generation": result.generation,
    }


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = parse_strict_json(body, max_depth=_MAX_DEPTH)
    except ValueError as error:
        raise _invalid(f"the body is not strict JSON: {error}") from None
    if not isinstance(document, dict):
        raise _invalid("the body must be a JSON object")
    return document


def _invalid(message: str, field: str | None = None) -> RequestError:
    return RequestError(422, "invalid_param", "invalid_body", message, param=field)


def _is_snapshot_id(value: object) -> bool:
    return isinstance(value, str) and bool(SNAPSHOT_ID.fullmatch(value))


def _is_reason(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_REASON and value.isprintable()


def _is_wait(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value <= MAX_WAIT_SECONDS  # type: ignore[operator]


_RULES: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "snapshot_id": (_is_snapshot_id, "1 to 200 letters, digits and : _ . -"),
    "reason": (_is_reason, f"a text of at most {MAX_REASON} printable characters"),
    "accept": (lambda value: isinstance(value, bool), "true or false"),
    "wait_seconds": (_is_wait, f"a number from 0 to {MAX_WAIT_SECONDS:.0f}"),
}
