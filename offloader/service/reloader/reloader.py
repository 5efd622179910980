"""The reloader: watches snapshot sources, has builds made, and coordinates every swap.

One thread decides and swaps; looks at sources and builds run in a small pool, so that a slow
source delays no other dataset. It holds the only copy of nothing: what is served main knows, what
was tried is in state.json, what was built is in the cache.
"""

from __future__ import annotations

import os
import queue
import random
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event, Lock
from typing import Any

from offloader.catalog.manifest import Manifest
from offloader.errors import SnapshotRefused, SourceUnavailable
from offloader.service import log
from offloader.service.cache import Cache
from offloader.service.project import Project
from offloader.service.reloader.main_link import MainLink, Refused
from offloader.service.reloader.refresh import (
    Build,
    Found,
    back_off_seconds,
    build_found,
    check_pin,
    contract_of,
    failed,
    is_known_failure,
    is_pinned_away,
    look,
)
from offloader.service.reloader.status import Progress, status_document
from offloader.service.state import Attempt, DatasetState, Snapshot, save_state
from offloader.shared.slots import Head

LOOKS_AT_ONCE = 64  # threads: most of them wait, for a source or for their turn to build
HEARTBEAT_SECONDS = 0.5

Outcome = tuple[str, Found | None, Attempt | None]


class Reloader:
    """Drives every dataset of one project; `build` runs one build to its end."""

    def __init__(
        self,
        project: Project,
        cache: Cache,
        link: MainLink,
        state: Mapping[str, DatasetState],
        *,
        refresh_interval_seconds: float,
        threads: int,
        build: Build,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._project = project
        self._cache = cache
        self._link = link
        self._entries: dict[str, Any] = dict(link.committed["snapshots"])
        self._interval_seconds = refresh_interval_seconds
        self._threads = threads
        self._build = build
        self._clock = clock
        self._chance = random.Random(os.getpid())
        self._outcomes: queue.Queue[Outcome] = queue.Queue()
        self._building = Lock()
        self._pool = ThreadPoolExecutor(LOOKS_AT_ONCE, thread_name_prefix="look")
        self._state = {name: self._served_state(name, state) for name in project.catalog.datasets}
        self._progress = {
            name: Progress(is_ok=not known.attempt.code) for name, known in self._state.items()
        }
        self._due = dict.fromkeys(project.catalog.datasets, 0.0)
        self._heart = link.slots.reloader()

    def run(self, stop: Event) -> None:
        """Work until `stop` is set; raises EOFError or OSError when main is gone."""
        # The beat first: this process must not be judged by the last beat of the one before.
        self._heart[Head.HEARTBEAT_NS] = time.monotonic_ns()
        self._heart[Head.PID] = os.getpid()
        while not stop.is_set():
            self.turn()

    def turn(self) -> None:
        """Start the looks that are due, take what came of earlier ones, swap, report."""
        self._heart[Head.HEARTBEAT_NS] = time.monotonic_ns()
        self._look_at_due()
        pending = self._collect()
        if pending:
            self._swap(pending)
        self._report()

    def _served_state(self, name: str, state: Mapping[str, DatasetState]) -> DatasetState:
        """Return what the state file says, corrected by what main really serves."""
        known = state.get(name, DatasetState())
        entry = self._entries.get(name)
        if entry is None:
            return known
        return known.activated(Snapshot(**entry["snapshot"]))

    def _look_at_due(self) -> None:
        now = self._clock()
        for name, due in self._due.items():
            if due <= now:
                self._due[name] = float("inf")
                self._progress[name].is_looking = True
                self._pool.submit(self._look, name)

    def _collect(self) -> list[Outcome]:
        """Wait for one outcome, at most a heartbeat, and take all that are there."""
        try:
            found = [self._outcomes.get(timeout=HEARTBEAT_SECONDS)]
        except queue.Empty:
            return []
        while not self._outcomes.empty():
            found.append(self._outcomes.get())
        return found

    def _look(self, name: str) -> None:
        """Look at one dataset, in the pool; whatever happens ends as an outcome."""
        dataset = self._project.catalog.datasets[name]
        contract = contract_of(self._project.catalog, dataset)
        known = self._state[name]
        manifest: Manifest | None = None
        began = time.monotonic()
        try:
            looked = look(self._project, dataset, self._cache)
            manifest = looked[0]
            check_pin(dataset, manifest, self._served_id(name))
            is_served = self._is_served(name, manifest)
            if (
                is_served
                or is_pinned_away(dataset, manifest)
                or is_known_failure(known, manifest, contract)
            ):
                self._progress[name].is_ok = is_served or is_pinned_away(dataset, manifest)
                self._outcomes.put((name, None, None))
                return
            with self._building:
                self._progress[name].is_building = True
                log.event("build_started", dataset=name, snapshot=manifest.snapshot_id)
                found = build_found(
                    self._project,
                    dataset,
                    self._cache,
                    looked,
                    known=known,
                    threads=self._threads,
                    build=self._build,
                )
            self._outcomes.put((name, found, self._succeeded(found, began)))
        except Exception as error:
            reason = _reason(error)
            attempt = failed(
                known,
                reason,
                manifest=manifest,
                contract=contract,
                now=self._clock(),
                seconds=time.monotonic() - began,
            )
            self._outcomes.put((name, None, attempt))

    def _succeeded(self, found: Found, began: float) -> Attempt:
        return Attempt(
            snapshot_id=found.manifest.snapshot_id,
            manifest_digest=found.manifest.digest,
            contract=found.contract,
            at=self._clock(),
            duration_seconds=round(time.monotonic() - began, 3),
        )

    def _served_id(self, name: str) -> str | None:
        entry = self._entries.get(name)
        return str(entry["snapshot"]["snapshot_id"]) if entry else None

    def _is_served(self, name: str, manifest: Manifest) -> bool:
        entry = self._entries.get(name)
        return entry is not None and entry["snapshot"]["manifest_digest"] == manifest.digest

    def _swap(self, outcomes: list[Outcome]) -> None:
        built: dict[str, tuple[Found, Attempt]] = {}
        for name, found, attempt in outcomes:
            progress = self._progress[name]
            progress.is_looking = progress.is_building = False
            if found is not None and attempt is not None:
                built[name] = (found, attempt)
            elif attempt is not None:
                self._note_failure(name, attempt)
            else:
                self._note_unchanged(name)
        if built and not self._try_swap(built):
            for name, one in built.items():  # alone, so that only the culprit stays behind
                self._try_swap({name: one}, is_last_try=True)

    def _try_swap(
        self, built: Mapping[str, tuple[Found, Attempt]], *, is_last_try: bool = False
    ) -> bool:
        snapshots = {**self._entries, **{name: one[0].entry for name, one in built.items()}}
        number = self._link.prepare({"documents": self._project.documents, "snapshots": snapshots})
        if isinstance(number, Refused):
            if is_last_try or len(built) == 1:
                self._note_refused(built, number)
                return True
            return False
        seconds = self._link.commit(number)
        self._entries = snapshots
        for name, (found, attempt) in built.items():
            self._state[name] = replace(
                self._state[name].activated(Snapshot.of(found.manifest)), attempt=attempt
            )
            self._progress[name].note_swapped(attempt)
            self._plan_next(name)
            log.event(
                "swapped",
                dataset=name,
                snapshot=found.manifest.snapshot_id,
                rows=found.manifest.row_count,
                generation=number,
                seconds=round(seconds, 4),
            )
        self._save()
        return True

    def _note_refused(self, built: Mapping[str, tuple[Found, Attempt]], refused: Refused) -> None:
        """Remember why main refused; a damaged part is put away and built again at once."""
        if refused.damaged is not None:
            self._cache.quarantine(*refused.damaged, refused.message, self._clock())
            log.error("part_quarantined", dataset=refused.damaged[0], reason=refused.message)
        for name, (_, attempt) in built.items():
            failures = self._state[name].attempt.failures + 1
            reason = replace(
                attempt,
                code=refused.code,
                message=refused.message,
                hint=refused.hint,
                failures=failures,
            )
            self._note_failure(name, reason)
            if refused.damaged is not None and failures == 1:
                self._due[name] = 0.0

    def _note_unchanged(self, name: str) -> None:
        """The newest snapshot is served, or was refused before; what failed since is over."""
        progress = self._progress[name]
        progress.note_unchanged(self._clock())
        if progress.is_ok and self._state[name].attempt.code:
            self._state[name] = replace(self._state[name], attempt=Attempt())
            self._save()
        self._plan_next(name)

    def _note_failure(self, name: str, attempt: Attempt) -> None:
        before = self._state[name].attempt
        is_repeat = (before.code, before.manifest_digest) == (attempt.code, attempt.manifest_digest)
        self._state[name] = replace(self._state[name], attempt=attempt)
        self._progress[name].note_failed(attempt)
        self._plan_next(name)
        if not is_repeat:
            log.warning(
                "refresh_failed",
                dataset=name,
                snapshot=attempt.snapshot_id,
                code=attempt.code,
                message=attempt.message,
                hint=attempt.hint,
            )
        self._save()

    def _plan_next(self, name: str) -> None:
        dataset = self._project.catalog.datasets[name]
        interval_seconds = dataset.refresh_interval_seconds or self._interval_seconds
        attempt = self._state[name].attempt
        self._due[name] = self._clock() + back_off_seconds(attempt, interval_seconds, self._chance)

    def _save(self) -> None:
        try:
            save_state(self._cache, self._state)
        except OSError as error:
            log.error("state_not_saved", reason=str(error), hint="check the cache volume")

    def _report(self) -> None:
        document = status_document(self._project, self._cache, self._state, self._progress)
        self._link.slots.board.write(document)


def _reason(error: Exception) -> SnapshotRefused | SourceUnavailable:
    if isinstance(error, SnapshotRefused | SourceUnavailable):
        return error
    log.LOGGER.error("refresh_broke", exc_info=error)
    return SourceUnavailable("internal", f"{type(error).__name__}: {error}", "see the log")
