"""What the reloader before this one counted goes on, so that no metric ever goes back."""

from __future__ import annotations

import json
from collections.abc import Mapping

from offloader.service.reloader.sharing import Sharing
from offloader.service.reloader.status import Progress
from offloader.shared.board import Board


def take_over(board: Board, progress: Mapping[str, Progress], sharing: Sharing | None) -> None:
    """Add what the board says to what was counted since; nothing at the first start.

    `progress` is by dataset. The board is main's memory: it outlives every reloader.
    """
    told = json.loads(board.read() or b"{}")
    for name, before in told.get("datasets", {}).items():
        if name in progress:
            now = progress[name]
            now.duration_seconds = now.duration_seconds or before["duration_seconds"]
            now.looked_at = now.looked_at or before["looked_at"]
            for outcome, count in before["outcomes"].items():
                now.outcomes[outcome] = now.outcomes.get(outcome, 0) + count
    if sharing is not None and told.get("segment_store"):
        sharing.take_over(told["segment_store"])
