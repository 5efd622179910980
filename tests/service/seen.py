"""What a worker sees, made by hand: control block, slots, board and a generation."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from offloader.catalog.model import Catalog, Column, Dataset, Endpoint, Select
from offloader.catalog.types import ColumnType, Kind
from offloader.service.state import Snapshot
from offloader.service.worker.generation import Generation, Served
from offloader.service.worker.view import View
from offloader.shared.control import ControlBlock, Word
from offloader.shared.slots import Head, Slots

NOW = 1_780_272_600.0
WATERMARK_US = 1_780_272_000_000_000  # ten minutes before


@dataclass(frozen=True, slots=True)
class Seen:
    """A view, and the memory behind it that a test may change."""

    control: ControlBlock
    slots: Slots
    view: View

    def beat(self, worker: int, *, seconds_ago: float = 0.0, attached: int = 1) -> None:
        """Show a worker's heartbeat."""
        head = self.slots.head(worker)
        head[Head.PID] = 1000 + worker
        head[Head.ATTACHED] = attached
        head[Head.HEARTBEAT_NS] = time.monotonic_ns() - int(seconds_ago * 1e9)

    def tell(self, **datasets: dict[str, Any]) -> None:
        """Write what the reloader's board says of datasets."""
        self.tell_all({"datasets": datasets, "cache_free_bytes": 5})

    def tell_all(self, document: dict[str, Any]) -> None:
        """Write the reloader's board as a whole."""
        self.slots.board.write(json.dumps(document).encode())


def seen(
    *,
    workers: int = 2,
    is_loaded: bool = True,
    windows: tuple[float | None, ...] = (),
    pin: str | None = None,
    memory: str = "shared",
) -> Seen:
    """Return a view of one dataset `usage`; `windows` are its endpoints' minutes of freshness."""
    control, slots = ControlBlock(), Slots(workers)
    control[Word.GENERATION] = 1
    column = Column("n", ColumnType(Kind.BIGINT))
    dataset = Dataset("usage", (column,), manifest="m.json", pin=pin)
    endpoints = {
        f"e{number}": Endpoint(
            name=f"e{number}",
            version=1,
            dataset="usage",
            select=(Select("n", "n"),),
            columns=("n",),
            max_staleness_minutes=minutes,
        )
        for number, minutes in enumerate(windows)
    }
    snapshot = Snapshot("s1", "d" * 32, WATERMARK_US, WATERMARK_US, 7)
    generation = Generation(
        number=1,
        catalog=Catalog(False, {"usage": dataset}, endpoints, (), revision="r" * 32),
        endpoints={name: Served(endpoint, None) for name, endpoint in endpoints.items()},
        keys={},
        snapshots={"usage": snapshot} if is_loaded else {},
        segment_bytes={"usage": 4096} if is_loaded else {},
        memory={"usage": memory} if is_loaded else {},
        rows={name: number + 1 for number, name in enumerate(endpoints)},
        catalog_key="",
        opened={},
    )
    return Seen(control, slots, View(generation, control, slots))
