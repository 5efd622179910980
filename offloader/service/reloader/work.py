"""The work on one dataset, in a thread: look, decide, build what is missing, look again.

Whatever happens ends as a Done. What it found is leased, so that the cache keeps the files until
the swap is over.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from offloader.catalog.compatibility import check_schema
from offloader.catalog.manifest import Manifest
from offloader.errors import SnapshotError, SnapshotRefused, SourceUnavailable
from offloader.segment.access_path import PartPlan
from offloader.service import log
from offloader.service.builder.standstill import STANDSTILL_SECONDS, called_when_slow
from offloader.service.builder.turns import Turns
from offloader.service.cache import Cache, disk_error
from offloader.service.counts import load_counts, refuse_unguarded
from offloader.service.generation_document import entry_of, plan_parts
from offloader.service.lease import Lease, lease, release
from offloader.service.lookout import Lookout, Published
from offloader.service.project import manifest_location
from offloader.service.reloader.attempts import (
    Judged,
    contract_of,
    failed,
    is_known_failure,
    reason_of,
)
from offloader.service.reloader.choose import choose, kept
from offloader.service.reloader.task import Done, Found, Step, Task
from offloader.service.state import Attempt, Snapshot

MAX_OVERTAKEN = 1

Build = Callable[[Mapping[str, Any], Callable[[], None]], int]
Fetch = Callable[[Manifest, PartPlan], None]


class Work:
    """Carries out tasks, each in the thread that calls; one build at a time.

    `aside` names the folder for rebuilds: instances that share a volume each have their own.
    """

    def __init__(
        self,
        lookout: Lookout,
        build: Build,
        *,
        threads: int,
        clock: Callable[[], float],
        on_step: Callable[[str, Step], None],
        aside: str = "0",
        turns: Turns | None = None,
        fetch: Fetch | None = None,
    ) -> None:
        self._lookout = lookout
        self._cache = lookout.cache
        self._build = build
        self._threads = threads
        self._clock = clock
        self._on_step = on_step
        self._aside = aside
        self._turns = turns or Turns()
        self._fetch = fetch

    def do(self, task: Task) -> Done:
        """Carry out one task; never raises."""
        began = time.monotonic()
        manifest: Manifest | None = None
        try:
            chosen = choose(task, self._lookout)
            if isinstance(chosen, str):
                return Done(task, stay=chosen)
            manifest = chosen.manifest
            return self._serve(task, chosen, began)
        except Exception as error:
            attempt = failed(
                task.known,
                reason_of(error),
                manifest=error.manifest if isinstance(error, Judged) else manifest,
                contract=contract_of(task.project.catalog, task.dataset),
                now=self._clock(),
                seconds=time.monotonic() - began,
            )
            return Done(task, attempt=attempt)

    def _serve(self, task: Task, chosen: Published, began: float) -> Done:
        manifest = chosen.manifest
        problems = check_schema(manifest, task.dataset)
        if problems:
            raise SnapshotRefused.of(problems)
        contract = contract_of(task.project.catalog, task.dataset)
        if not task.is_asked and is_known_failure(task.known, manifest, contract):
            return Done(task, stay="refused_before")
        entry = entry_of(task.project.catalog, task.name, manifest, _copy(task, manifest))
        held = self._lease(task, manifest, entry)
        try:
            # Before the lease it may have been collected.
            kept(task, self._cache, Snapshot.of(manifest))
            if not self._make(task, chosen, entry) or self._is_overtaken(task, manifest):
                release(held)
                return Done(task, is_overtaken=True)
        except BaseException:
            release(held)
            raise
        attempt = Attempt(
            snapshot_id=manifest.snapshot_id,
            manifest_digest=manifest.digest,
            contract=contract,
            at=self._clock(),
            duration_seconds=round(time.monotonic() - began, 3),
        )
        return Done(task, Found(manifest, entry, contract, held), attempt)

    def _lease(self, task: Task, manifest: Manifest, entry: Mapping[str, Any]) -> Lease | None:
        """Keep the files from being collected; also a full disk must not stop a way back."""
        try:
            return lease(self._cache, task.name, entry["parts"], [manifest.digest])
        except SourceUnavailable:
            if task.target is not None and task.target == task.known.previous:
                return None
            raise

    def _make(self, task: Task, chosen: Published, entry: Mapping[str, Any]) -> bool:
        """Have every part in the cache, and the guards asked; False when it was overtaken."""
        manifest = chosen.manifest
        was_served = manifest.digest in {s.manifest_digest for s in task.known.snapshots()}
        paths = [self._cache.part(task.name, part_id) for part_id in entry["parts"]]
        is_missing = not all(path.exists() for path in paths)
        if self._fetch is not None and task.wish != "rebuild" and is_missing:
            self._on_step(task.name, "fetching")
            self._fetch(manifest, plan_parts(task.project.catalog, task.name, manifest))
        if task.wish != "rebuild" and all(path.exists() for path in paths):
            counts = load_counts(self._cache, task.name, manifest.digest)
            if counts is not None and counts.answers(task.dataset.guards):
                previous, admitted = _compared(task, manifest, was_served, self._clock())
                refuse_unguarded(task.dataset.guards, manifest, counts, previous, admitted)
                return True
        self._on_step(task.name, "queued")
        with self._turns.turn() as pass_on:

            def stand_still() -> None:
                self._on_step(task.name, "standing_still")
                pass_on()

            with called_when_slow(stand_still, seconds=STANDSTILL_SECONDS):  # it asks the source
                if self._is_overtaken(task, manifest):  # while others were built
                    return False
            self._on_step(task.name, "building")
            log.event(
                "build_started",
                dataset=task.name,
                snapshot=manifest.snapshot_id,
                rows=manifest.row_count,
                bytes=manifest.size_bytes,
            )
            target = self._cache.root
            if task.wish == "rebuild":
                target = self._cache.root / "rebuilding" / self._aside / task.name
                shutil.rmtree(target, ignore_errors=True)
            self._build(self._job(task, chosen, target, was_served), stand_still)
            self._put_in_place(task.name, target, entry["parts"])
        return True

    def _job(
        self, task: Task, chosen: Published, target: Path, was_served: bool
    ) -> Mapping[str, Any]:
        project = task.project
        previous, _ = _compared(task, chosen.manifest, was_served, 0.0)
        return {
            "documents": project.documents,
            "dataset": task.name,
            "cache": str(self._cache.root),
            "target": str(target),
            "root": str(project.root),
            "manifest_at": str(manifest_location(project, task.dataset)),
            "access": self._lookout.access.as_document(),
            "manifest_copy": str(chosen.copy),
            "previous_row_count": previous,
            "was_served": was_served,
            "threads": self._threads,
        }

    def _put_in_place(self, name: str, target: Path, part_ids: list[str]) -> None:
        if target == self._cache.root:
            return
        try:
            for part_id in part_ids:
                Cache(target).part(name, part_id).replace(self._cache.part(name, part_id))
        except OSError as error:
            raise disk_error(error) from error
        shutil.rmtree(target, ignore_errors=True)

    def _is_overtaken(self, task: Task, manifest: Manifest) -> bool:
        """Tell whether the source names another snapshot by now.

        Not twice in a row: a source that publishes faster than a build takes would starve it. One
        that went back to what is served takes its snapshot away in any case. What is served, or
        was before its parts were lost, is not what the source names anyway.
        """
        active = task.known.active
        had = active or task.known.previous
        is_had = had is not None and had.manifest_digest == manifest.digest
        if task.target is not None or task.pin or is_had:
            return False
        with suppress(SnapshotError):
            now = self._lookout.look(task.project, task.dataset).manifest
            if active is not None and now.digest == active.manifest_digest != manifest.digest:
                return True
            is_patient = not task.is_asked and task.overtaken < MAX_OVERTAKEN
            return now.digest != manifest.digest and is_patient
        return False


def _copy(task: Task, manifest: Manifest) -> int:
    active = task.known.active
    is_active = active is not None and active.manifest_digest == manifest.digest
    return (task.known.copy if is_active else 0) + (task.wish == "rebuild")


def _compared(
    task: Task, manifest: Manifest, was_served: bool, now: float
) -> tuple[int | None, float]:
    """Return the row count to compare with, and the time at which the watermark's age counts.

    A snapshot that was served before was admitted in its time.
    """
    active = task.known.active
    if was_served or active is None:
        return None, manifest.watermark / 1e6 if was_served else now
    return active.row_count, now
