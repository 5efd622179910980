"""What the reloader tells: the board's document, and sources that do not answer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from offloader.catalog.model import Catalog
from offloader.service.cache import Cache
from offloader.service.reloader.counted_before import take_over
from offloader.service.reloader.disk_use import DiskUse
from offloader.service.reloader.ledger import Ledger, Quarantine
from offloader.service.reloader.sharing import Sharing
from offloader.service.reloader.status import dataset_status, encode_status
from offloader.shared.board import Board

SLOW_SECONDS = 30.0


class Reporter:
    """Writes the board; `instance` is this instance's number on the cache volume.

    `aside` runs work in another thread.
    """

    def __init__(
        self,
        board: Board,
        cache: Cache,
        ledger: Ledger,
        clock: Callable[[], float],
        instance: int,
        sharing: Sharing | None = None,
        aside: Callable[[Callable[[], None]], object] = lambda work: work(),
    ) -> None:
        self._board = board
        self._cache = cache
        self._ledger = ledger
        self._clock = clock
        self._instance = instance
        self._sharing = sharing
        self._disk = DiskUse(cache.root, clock, aside)

    def take_over(self) -> None:
        """Go on counting where the reloader before this one left off."""
        take_over(self._board, self._ledger.progress, self._sharing)

    def report(self, catalog: Catalog, pending: Collection[str], config: Mapping[str, Any]) -> None:
        """Tell what is known; `pending` are the datasets on an older contract."""
        self._note_slow()
        self._note_pins(catalog)
        names: Iterable[str] = catalog.datasets
        events = self._ledger.timeline.events
        document: dict[str, Any] = {
            "datasets": {name: self._dataset(catalog, name, name in pending) for name in names},
            "cache_free_bytes": self._cache.free_bytes(),
            **self._disk.document(events[-1].at if events else 0.0),
            "config": config,
            "instance": self._instance,
            "is_state_saved": self._ledger.is_saved,
            "segment_store": self._sharing.document() if self._sharing else None,
            "events": [asdict(one) for one in events],
        }
        try:
            self._board.write(encode_status(document))
        except ValueError:  # of a thousand datasets with many problems each: better without these
            for told in document["datasets"].values():
                told["attempt"] = told["attempt"] and {**told["attempt"], "problems": []}
            self._board.write(encode_status(document))

    def _dataset(self, catalog: Catalog, name: str, is_pending: bool) -> dict[str, Any]:
        ledger, pin = self._ledger, catalog.datasets[name].pin
        away = ledger.quarantine.get(name, Quarantine())
        known, progress = ledger.state[name], ledger.progress[name]
        return {
            **dataset_status(known, progress, pin, is_pending=is_pending),
            "quarantined": away.parts,
            "quarantined_snapshots": [
                {"snapshot_id": mark.snapshot_id, "reason": mark.reason, "at": mark.at}
                for mark in away.marks
            ],
        }

    def _note_pins(self, catalog: Catalog) -> None:
        """Remember since when each dataset stays on a chosen snapshot, whichever it is."""
        for name, dataset in catalog.datasets.items():
            known = self._ledger.state[name]
            is_pinned = bool(dataset.pin or known.pin)
            if is_pinned != bool(known.pinned_at):
                pinned_at = self._clock() if is_pinned else 0.0
                self._ledger.change(name, replace(known, pinned_at=pinned_at))

    def _note_slow(self) -> None:
        now = self._clock()
        for name, progress in self._ledger.progress.items():
            is_waiting = progress.is_looking and not progress.is_queued and not progress.is_building
            if is_waiting and now - progress.began_at > SLOW_SECONDS:
                self._ledger.note_slow(name)
