"""A reloader that was killed: the next one goes on counting where it was."""

from __future__ import annotations

import json

from offloader.service.reloader.counted_before import take_over
from offloader.service.reloader.segment_status import SegmentStatus
from offloader.service.reloader.status import Progress
from offloader.shared.board import BOARD_BYTES, Board


def board_of(document: object) -> Board:
    """Return a board that a reloader left behind."""
    board = Board(memoryview(bytearray(BOARD_BYTES)))
    board.write(json.dumps(document).encode())
    return board


def test_counts_are_added() -> None:
    """What was counted meanwhile stays; a dataset that is no longer driven is passed over."""
    before = {"outcomes": {"swapped": 2, "failed": 1}, "duration_seconds": 1.5, "looked_at": 90.0}
    board = board_of({"datasets": {"usage": before, "gone": before}})
    progress = {"usage": Progress(outcomes={"swapped": 1}), "new": Progress()}
    take_over(board, progress, None)
    assert progress["usage"].outcomes == {"swapped": 3, "failed": 1}
    assert (progress["usage"].duration_seconds, progress["usage"].looked_at) == (1.5, 90.0)
    assert progress["new"] == Progress()


def test_newer_doings_are_not_overwritten() -> None:
    """Only what is not known yet is taken over."""
    before = {"outcomes": {}, "duration_seconds": 1.5, "looked_at": 90.0}
    progress = {"usage": Progress(duration_seconds=0.5, looked_at=95.0)}
    take_over(board_of({"datasets": {"usage": before}}), progress, None)
    assert (progress["usage"].duration_seconds, progress["usage"].looked_at) == (0.5, 95.0)


def test_the_first_reloader_begins_at_nothing() -> None:
    """An empty board is no document."""
    progress = {"usage": Progress()}
    take_over(Board(memoryview(bytearray(BOARD_BYTES))), progress, None)
    assert progress["usage"] == Progress()


def test_what_was_shared_goes_on() -> None:
    """Parts and bytes of the segment store, by what came of them."""
    status = SegmentStatus("gs://bucket/segments", lambda: 5.0)
    status.count("fetched", 2, 70)
    status.count("corrupt")
    told = status.document(())
    after = SegmentStatus("gs://bucket/segments", lambda: 5.0)
    after.count("fetched", 1, 30)
    after.take_over(told)
    now = after.document(())
    assert (now["parts"]["fetched"], now["parts"]["corrupt"]) == (3, 1)
    assert now["bytes"] == {"fetched": 100, "uploaded": 0}
