"""The board has room for what matters, whatever is wrong with how many datasets."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from offloader.errors import Problem
from offloader.service.cache import Cache
from offloader.service.reloader.ledger import Ledger
from offloader.service.reloader.reporter import Reporter
from offloader.service.state import Attempt
from offloader.shared.board import Board
from tests.projects import write_project
from tests.service.building import loaded
from tests.service.reloading import dataset_document


class SmallBoard:
    """A board with room for so many bytes."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self.written: dict[str, Any] = {}

    def write(self, document: bytes) -> None:
        """Keep a document that fits."""
        if len(document) > self._most_bytes:
            raise ValueError("too large")
        self.written = json.loads(document)


def test_problems_make_room_for_the_rest(tmp_path: Path) -> None:
    """Where the document does not fit with them it is told without; the code stays."""
    write_project(tmp_path / "project", datasets={"a": dataset_document("a")})
    catalog = loaded(tmp_path / "project").catalog
    cache = Cache(tmp_path / "cache")
    cache.prepare()
    ledger = Ledger(cache, cache.state, lambda: 7.0)
    ledger.begin(["a"], {})
    problem = Problem("manifest.json", "files", "wrong_type", "x" * 400)
    attempt = Attempt(code="wrong_type", at=5.0, problems=(problem,) * 20)
    ledger.state["a"] = replace(ledger.state["a"], attempt=attempt)
    told = []
    for most_bytes in (1 << 20, 5000):
        board = SmallBoard(most_bytes)
        reporter = Reporter(cast("Board", board), cache, ledger, lambda: 7.0, 0)
        reporter.report(catalog, (), {})
        told.append(board.written["datasets"]["a"]["attempt"])
    assert [(one["code"], len(one["problems"])) for one in told] == [
        ("wrong_type", 20),
        ("wrong_type", 0),
    ]
