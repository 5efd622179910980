"""The reloader's book: the state of every dataset, its progress, and the state file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from offloader.catalog.compatibility import check_schema
from offloader.catalog.model import Catalog
from offloader.service import log
from offloader.service.cache import Cache
from offloader.service.composition import contracts_of
from offloader.service.generation_document import entry_of, kept_manifest
from offloader.service.lookout import find_kept
from offloader.service.quarantine import Mark, marks, quarantined_parts
from offloader.service.reloader.status import UNREACHABLE_CODES, Progress
from offloader.service.reloader.task import Step
from offloader.service.state import (
    Attempt,
    DatasetState,
    Held,
    Saved,
    Snapshot,
    load_state,
    save_state,
)
from offloader.service.timeline import Timeline

SAVE_AGAIN_SECONDS = 5.0
_MOST_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Quarantine:
    """What of a dataset is put away: marked snapshots, and how many parts."""

    marks: tuple[Mark, ...] = ()
    parts: int = 0

    @property
    def digests(self) -> frozenset[str]:
        """The digests of the marked snapshots' manifests."""
        return frozenset(mark.manifest_digest for mark in self.marks)


class Ledger:
    """What is known of each dataset. Written by the reloader's own thread alone."""

    def __init__(self, cache: Cache, path: Path, clock: Callable[[], float]) -> None:
        self._cache = cache
        self._path = path
        self._clock = clock
        self._save_at: float | None = None
        self._ids: dict[tuple[str, str, str], tuple[str, ...]] = {}
        self.saved = load_state(path)
        self.timeline = Timeline(clock, self.saved.events)
        self.state: dict[str, DatasetState] = {}
        self._absent: dict[str, DatasetState] = {}
        self.quarantine: dict[str, Quarantine] = {}
        self.progress: dict[str, Progress] = {}

    def begin(self, names: Iterable[str], entries: Mapping[str, Mapping[str, Any]]) -> None:
        """Know these datasets and no others; what main really serves goes before the state file."""
        before = {**self.saved.datasets, **self.state}
        self.state = {}
        for name in names:
            entry = entries.get(name)
            self.state[name] = _served(before.pop(name, DatasetState()), entry)
        # Their pins and rollbacks count again when the config names them again; no file is kept.
        self._absent = {
            name: replace(known, active=None, previous=None, copy=0)
            for name, known in before.items()
        }
        self.progress = {
            name: self.progress.get(name) or _begun(known.attempt)
            for name, known in self.state.items()
        }

    def look_at_quarantine(self, name: str) -> Quarantine:
        """Read anew what of a dataset is put away; what cannot be read is as it was."""
        with suppress(OSError):
            found = Quarantine(marks(self._cache, name), quarantined_parts(self._cache, name))
            self.quarantine[name] = found
        return self.quarantine.setdefault(name, Quarantine())

    def change(self, name: str, known: DatasetState) -> None:
        """Remember something else of a dataset."""
        self.state[name] = known
        self.keep()

    def note_step(self, name: str, step: Step) -> None:
        """Note how far the work on a dataset is; say of one that stands still."""
        progress = self.progress.get(name)
        if progress is None:
            return
        progress.note_step(step, self._clock())
        if step == "standing_still":
            self.note_slow(name)

    def note_slow(self, name: str) -> None:
        """Say once that the source of a dataset does not answer; the work goes on."""
        if not self.progress[name].is_reachable:
            return
        known = self.state[name].attempt
        attempt = Attempt(
            contract=known.contract,
            code="source_slow",
            message="the source does not answer; it is waited for",
            hint="see whether the volume of the source answers; what is served goes on",
            failures=known.failures,
            at=self._clock(),
        )
        self.note_failure(name, attempt)

    def note_failure(self, name: str, attempt: Attempt) -> None:
        """Remember why the newest snapshot of a dataset cannot be served; say it once."""
        before = self.state[name].attempt
        is_repeat = (before.code, before.manifest_digest) == (attempt.code, attempt.manifest_digest)
        self.state[name] = replace(self.state[name], attempt=attempt)
        self.progress[name].note_failed(attempt)
        if not is_repeat:
            active = self.state[name].active
            self.timeline.add(
                "refused" if attempt.is_final else "failed",
                name,
                from_snapshot=active.snapshot_id if active else "",
                to_snapshot=attempt.snapshot_id,
                code=attempt.code,
                message=attempt.message,
            )
            log.warning(
                "refresh_failed",
                dataset=name,
                snapshot=attempt.snapshot_id,
                code=attempt.code,
                message=attempt.message,
                hint=attempt.hint,
            )
        self.keep()

    def note_swapped(self, name: str, known: DatasetState) -> None:
        """Remember what is served from now on."""
        self.state[name] = known
        self.progress[name].note_swapped(known.attempt)
        self.keep()

    def note_overtaken(self, name: str) -> None:
        """Note that a build was dropped."""
        self.progress[name].note_overtaken(self._clock())

    def note_unchanged(self, name: str, stay: str) -> None:
        """Note that the dataset stays as it is; unless it was refused, what failed is over."""
        progress = self.progress[name]
        progress.note_unchanged(self._clock())
        progress.is_ok = stay != "refused_before"
        if progress.is_ok and self.state[name].attempt.code:
            active = self.state[name].active
            self.timeline.add("recovered", name, to_snapshot=active.snapshot_id if active else "")
            self.state[name] = replace(self.state[name], attempt=Attempt())
            self.keep()

    def keep(self) -> None:
        """Have the state written at the end of this turn."""
        self._save_at = self._clock()

    @property
    def is_saved(self) -> bool:
        """Whether the state file says all that is known."""
        return self._save_at is None

    def save_if_due(self, catalogs: Iterable[Catalog], documents: Mapping[str, Any]) -> None:
        """Write the state if it changed; after an error it is tried again.

        `catalogs` are those under which remembered snapshots may be served, `documents` those
        that are.
        """
        if self._save_at is None or self._clock() < self._save_at:
            return
        known = {**self._absent, **self.state}
        holds = self.holds(catalogs)
        saved = Saved(known, contracts_of(documents), holds, self.timeline.events)
        try:
            save_state(self._path, saved)
        except OSError as error:
            self._save_at = self._clock() + SAVE_AGAIN_SECONDS
            hint = "check the cache volume; it is tried again"
            log.error("state_not_saved", reason=error.strerror, hint=hint)
            return
        self.saved, self._save_at = saved, None

    def holds(self, catalogs: Iterable[Catalog]) -> dict[str, Held]:
        """Return which files of the cache each dataset needs under any of these catalogs."""
        catalogs = tuple(catalogs)
        return {name: self._held(name, known, catalogs) for name, known in self.state.items()}

    def _held(self, name: str, known: DatasetState, catalogs: tuple[Catalog, ...]) -> Held:
        latest = known.rolled_back[-1:]
        kept = {s.manifest_digest for s in (known.active, known.previous, *latest) if s}
        pins = {known.pin, *(c.datasets[name].pin for c in catalogs if name in c.datasets)}
        kept |= {digest for pin in pins if pin for digest in self._pinned(name, known, pin)}
        ids = {i for digest in kept for c in catalogs for i in self._part_ids(name, digest, c)}
        return Held(tuple(sorted(ids)), tuple(sorted(kept)))

    def _pinned(self, name: str, known: DatasetState, pin: str) -> list[str]:
        """Return the digest of a pinned snapshot, also while another one is served."""
        served = [s.manifest_digest for s in known.snapshots() if s.snapshot_id == pin]
        if served:
            return served
        found = find_kept(self._cache, name, pin)
        return [found.manifest.digest] if found else []

    def _part_ids(self, name: str, digest: str, catalog: Catalog) -> tuple[str, ...]:
        """Return the ids of a snapshot's parts; none when it cannot be served under a catalog."""
        key = (name, digest, catalog.revision)
        if key not in self._ids:
            if len(self._ids) >= _MOST_REMEMBERED:
                self._ids.clear()
            manifest = kept_manifest(self._cache, name, digest)
            dataset = catalog.datasets.get(name)
            if manifest is None or dataset is None or check_schema(manifest, dataset):
                return ()
            self._ids[key] = tuple(entry_of(catalog, name, manifest)["parts"])
        return self._ids[key]


def _begun(attempt: Attempt) -> Progress:
    """Return the doings of a dataset whose last attempt another reloader made."""
    is_reachable = attempt.code not in UNREACHABLE_CODES
    since = 0.0 if is_reachable else attempt.at
    return Progress(is_ok=not attempt.code, is_reachable=is_reachable, unreachable_since=since)


def _served(known: DatasetState, entry: Mapping[str, Any] | None) -> DatasetState:
    """Correct what is known by what is served: one step on, one step back, or nothing."""
    if entry is None:
        previous = known.active or known.previous
        return replace(known, active=None, previous=previous, copy=0)
    snapshot = Snapshot(**entry["snapshot"])
    if known.accepted == snapshot.manifest_digest:
        known = replace(known, accepted="")
    is_back = known.previous is not None and snapshot == known.previous
    is_other = known.active is not None and snapshot != known.active
    known = known.replaced_by(snapshot) if is_back and is_other else known.activated(snapshot)
    return replace(known, copy=entry.get("copy", 0))
