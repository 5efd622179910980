"""Sharing: built parts are fetched from the segment store, and uploaded there.

It is never required: whatever the store does, parts are built here and swaps go on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from offloader.catalog.manifest import Manifest
from offloader.segment.access_path import PartPlan
from offloader.service.cache import Cache
from offloader.service.reloader.segment_fetch import Fetching
from offloader.service.reloader.segment_status import SegmentStatus
from offloader.service.reloader.segment_upload import Entries, Uploading
from offloader.service.segment_store import SegmentStore, segment_location
from offloader.settings.settings import Settings
from offloader.stores.access import Access
from offloader.stores.open import Stores
from offloader.stores.patient import Patience

# A build is the other way to have a part, so this store is not waited for as a source is.
PATIENCE = Patience(attempts=3, most_seconds=2.0, asked_seconds=5.0, deadline_seconds=10.0)


class Sharing:
    """What a reloader does with the segment store."""

    def __init__(self, fetching: Fetching, uploading: Uploading, status: SegmentStatus) -> None:
        self._fetching = fetching
        self._uploading = uploading
        self._status = status
        self._offered: Entries | None = None

    def fetch(
        self, on_part: Callable[[str, str], None], manifest: Manifest, plan: PartPlan
    ) -> None:
        """Put into the cache what is missing there and can be had; any thread, bounded in time.

        `on_part` is told dataset and id of each part that came.
        """
        self._uploading.note_fetched(self._fetching.fetch(manifest, plan, on_part))

    def offer(self, entries: Entries) -> None:
        """Have what is served uploaded aside; called each turn, it does nothing for the same."""
        if entries is not self._offered:
            self._offered = entries
            self._uploading.offer(entries)

    def take_over(self, told: Mapping[str, Any]) -> None:
        """Go on counting where the reloader before left off; `told` is what its board says."""
        self._status.take_over(told)

    def document(self) -> Mapping[str, Any]:
        """Return what the board says of the segment store."""
        return self._status.document(self._uploading.waiting)


def sharing_of(settings: Settings, cache: Cache) -> Sharing | None:
    """Share as the settings say, None for not at all; its threads wait for something to do."""
    if settings.segment_store is None:
        return None
    location = segment_location(settings.segment_store)
    store = SegmentStore(location, Stores(Access.of(settings), PATIENCE).at)
    status = SegmentStatus(location.shown)
    uploading = Uploading(store, cache, status, pause=threading.Event().wait)
    uploading.start()
    return Sharing(Fetching(store, cache, status), uploading, status)
