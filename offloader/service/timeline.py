"""The timeline: the last things that happened to what is served, for whoever asks what changed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

MOST_EVENTS = 50
MAX_MESSAGE = 500

Kind = Literal[
    "swapped",
    "rolled_back",
    "pinned",
    "unpinned",
    "rebuilt",
    "quarantined",
    "refused",
    "failed",
    "recovered",
    "config_applied",
    "config_refused",
    "config_unreachable",
]
By = Literal["source", "operator", "config"]
# A source that fails in turns with several codes must not push out what changed before.
_ONE_OF_EACH = ("refused", "failed", "config_refused", "config_unreachable")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; what does not apply is empty or 0.

    `at` is seconds since the epoch. `from_snapshot` was served before, `to_snapshot` is served
    since, or was refused. `seconds` and `generation` are those of the swap.
    """

    at: float
    kind: str
    dataset: str = ""
    by: str = "source"
    from_snapshot: str = ""
    to_snapshot: str = ""
    code: str = ""
    message: str = ""
    seconds: float = 0.0
    generation: int = 0


class Timeline:
    """The newest events, oldest first. One thread writes."""

    def __init__(self, clock: Callable[[], float], events: Iterable[Event] = ()) -> None:
        self._clock = clock
        self._events = deque(events, MOST_EVENTS)

    @property
    def events(self) -> tuple[Event, ...]:
        """All that are remembered, oldest first."""
        return tuple(self._events)

    def add(
        self,
        kind: Kind,
        dataset: str = "",
        *,
        by: By = "source",
        from_snapshot: str = "",
        to_snapshot: str = "",
        code: str = "",
        message: str = "",
        seconds: float = 0.0,
        generation: int = 0,
    ) -> None:
        """Remember an event of this moment; one of the same failure takes the place of the last."""
        made = Event(
            at=self._clock(),
            kind=kind,
            dataset=dataset,
            by=by,
            from_snapshot=from_snapshot,
            to_snapshot=to_snapshot,
            code=code,
            message=message[:MAX_MESSAGE],
            seconds=round(seconds, 4),
            generation=generation,
        )
        last = next((one for one in reversed(self._events) if one.dataset == dataset), None)
        if last is not None and kind in _ONE_OF_EACH and _same(last, made):
            self._events.remove(last)
        self._events.append(made)


def _same(last: Event, made: Event) -> bool:
    return (last.kind, last.to_snapshot) == (made.kind, made.to_snapshot)
