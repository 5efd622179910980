"""The span of a refresh, when traces are on: from the look at the source to the finished build."""

from __future__ import annotations

from offloader.service.reloader.task import Done
from offloader.service.tracing import Tracing


def note_refresh(tracing: Tracing | None, done: Done) -> None:
    """Make the span of work that found a snapshot or failed; that nothing is new tells nobody."""
    attempt = done.attempt
    if tracing is None or not (done.found or attempt.code):
        return
    attributes = {
        "offloader.dataset": done.task.name,
        "offloader.snapshot": attempt.snapshot_id,
        "offloader.wish": done.task.wish,
    }
    if attempt.code:
        attributes["error.type"] = attempt.code
    is_error = bool(attempt.code)
    tracing.note("refresh", attempt.duration_seconds, attributes, is_error=is_error)
