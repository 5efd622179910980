"""One swap: draft, prepare, commit. A refused one changes nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from offloader.service import log
from offloader.service.cache import Cache
from offloader.service.project import Project
from offloader.service.quarantine import put_away
from offloader.service.reloader.main_link import MainLink, Refused
from offloader.service.reloader.serving import Serving
from offloader.service.reloader.task import Found
from offloader.shared.control import Word

FIRST_PROMOTION_SECONDS = 5.0
MAX_PROMOTION_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Swapped:
    """A committed generation; `flipped` are the found datasets that it brought."""

    number: int
    seconds: float
    flipped: frozenset[str]


class Swapper:
    """Carries out swaps, and moves segments into memory when there is room again."""

    def __init__(self, cache: Cache, link: MainLink, serving: Serving) -> None:
        self._cache = cache
        self._link = link
        self._serving = serving
        self._mapped: Mapping[str, int] = {}
        self._promote_at = 0.0
        self._pause_seconds = FIRST_PROMOTION_SECONDS

    def swap(self, desired: Project, found: Mapping[str, Found]) -> Swapped | Refused | None:
        """Serve what was found, under the config as it is now; None when nothing would change.

        Raises ConfigError when the config does not go together with what must be held, EOFError
        or OSError when main is gone. A damaged part is put away before this returns.
        """
        serving = self._serving
        draft = serving.draft(desired, {name: one.entry for name, one in found.items()})
        if serving.is_served(draft):
            return None
        prepared = self._link.prepare(serving.document(draft))
        if isinstance(prepared, Refused):
            self._put_away(prepared)
            return prepared
        seconds = self._link.commit(prepared.number)
        serving.adopt(draft)
        self._note_mapped(prepared.mapped)
        self._pause_seconds = FIRST_PROMOTION_SECONDS
        self._promote_at = time.monotonic() + self._pause_seconds
        return Swapped(prepared.number, seconds, draft.flipped)

    def promote_if_due(self, desired: Project) -> None:
        """Serve out of memory what is mapped from files, once there is room for any of it."""
        if not self._mapped or time.monotonic() < self._promote_at or not self._has_room():
            return
        serving = self._serving
        draft = serving.draft(desired, {})
        prepared = self._link.prepare(serving.document(draft))
        if isinstance(prepared, Refused):
            self._put_away(prepared)
        elif dict(prepared.mapped) == dict(self._mapped):
            self._link.abort(prepared.number)
        else:
            self._link.commit(prepared.number)
            serving.adopt(draft)
            log.event("moved_to_memory", datasets=sorted(set(self._mapped) - set(prepared.mapped)))
            self._note_mapped(prepared.mapped)
        self._pause_seconds = min(2 * self._pause_seconds, MAX_PROMOTION_SECONDS)
        self._promote_at = time.monotonic() + self._pause_seconds

    def free_memory(self, desired: Project) -> None:
        """Let go of the previous segments: a build needs the memory more than a rollback."""
        if not self._serving.forget_reserve():
            return
        draft = self._serving.draft(desired, {})
        prepared = self._link.prepare(self._serving.document(draft))
        if isinstance(prepared, Refused):
            self._put_away(prepared)
            return
        self._link.commit(prepared.number)
        self._serving.adopt(draft)
        self._note_mapped(prepared.mapped)
        log.event("previous_segments_dropped", reason="a build ran out of memory")

    def _has_room(self) -> bool:
        # Not less what is in use: some of that is kept of previous snapshots, and makes room.
        return min(self._mapped.values()) <= self._link.control[Word.LIMIT_BYTES]

    def _note_mapped(self, mapped: Mapping[str, int]) -> None:
        for name in sorted(set(mapped) - set(self._mapped)):
            hint = "raise OFFLOADER_MEMORY_LIMIT and the container's memory, or publish less"
            log.warning("served_from_page_cache", dataset=name, bytes=mapped[name], hint=hint)
        self._mapped = dict(mapped)

    def _put_away(self, refused: Refused) -> None:
        if refused.damaged is not None:
            dataset, part_id = refused.damaged
            put_away(self._cache, dataset, [part_id], refused.message, time.time())
            log.error("part_quarantined", dataset=dataset, reason=refused.message)
