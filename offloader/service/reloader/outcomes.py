"""What finished work leads to: a swap, a failure that is remembered, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from offloader.service import log
from offloader.service.cache import Cache
from offloader.service.lease import Lease, release
from offloader.service.project import Project
from offloader.service.reloader.decide import needs_accept
from offloader.service.reloader.ledger import Ledger, Quarantine
from offloader.service.reloader.main_link import Refused
from offloader.service.reloader.operations import Operations
from offloader.service.reloader.operator import after_failure, after_swap
from offloader.service.reloader.swap import Swapped, Swapper
from offloader.service.reloader.task import Done, Wish
from offloader.service.state import Snapshot
from offloader.service.timeline import Kind

OUT_OF_MEMORY = "builder_out_of_memory"
_KINDS: Mapping[Wish, Kind] = {
    "follow": "swapped",
    "rollback": "rolled_back",
    "pin": "pinned",
    "rebuild": "rebuilt",
    "quarantine": "quarantined",
}


class Outcomes:
    """Settles finished work.

    `leases` are to be held until the state that needs their files is written; `again` are the
    datasets to look at once more without waiting; `is_littered` tells that files of the cache
    may no longer be needed.
    """

    def __init__(
        self, cache: Cache, ledger: Ledger, swapper: Swapper, operations: Operations
    ) -> None:
        self._cache = cache
        self._ledger = ledger
        self._swapper = swapper
        self._operations = operations
        self._is_memory_short = False
        self.leases: list[Lease | None] = []
        self.again: set[str] = set()
        self.is_littered = True

    def settle(self, desired: Project, finished: Mapping[str, Done]) -> None:
        """Swap in all that was found at once, and note the rest."""
        found = {}
        for name, done in finished.items():
            if done.found is not None and self._is_outdated(done, desired):
                self._drop(done)
            elif done.found is not None:
                self.leases.append(done.found.lease)
                found[name] = done
            else:
                self._note(done)
        if self._is_memory_short:
            self._is_memory_short = False
            self._swapper.free_memory(desired)
        if found and not self._swap(desired, found):
            for name, done in found.items():  # alone, so that only the culprit stays behind
                self._swap(desired, {name: done}, is_last_try=True)

    def _is_outdated(self, done: Done, desired: Project) -> bool:
        """Tell whether an operator or the config decided otherwise while the work was done."""
        known, then = self._ledger.state.get(done.task.name), done.task.known
        if known is None or done.found is None:
            return True
        now = (known.active, known.pin, known.rolled_back, known.accepted)
        if now != (then.active, then.pin, then.rolled_back, then.accepted):
            return True
        digest = done.found.manifest.digest
        away = self._ledger.quarantine.get(done.task.name, Quarantine()).digests
        if digest != known.accepted and needs_accept(known, digest, away):
            return True
        dataset = desired.catalog.datasets.get(done.task.name)
        endpoints = desired.catalog.endpoints_of(done.task.name)
        is_same = dataset == done.task.dataset and endpoints == done.task.endpoints
        return not is_same

    def _drop(self, done: Done) -> None:
        assert done.found is not None
        release(done.found.lease)
        log.event("build_dropped", dataset=done.task.name, snapshot=done.found.manifest.snapshot_id)
        self.again.add(done.task.name)
        if done.task.name not in self._ledger.progress:
            self._end_gone(done)
        elif done.task.wish == "pin" and self._is_served(done):  # by a look that was quicker
            name, snapshot_id = done.task.name, done.found.manifest.snapshot_id
            self._ledger.change(name, replace(self._ledger.state[name], pin=snapshot_id))
            self._operations.end_pinned(name)
        elif done.task.is_asked:
            self._call_off(done)
            self._operations.end_outdated(done)

    def _is_served(self, done: Done) -> bool:
        active = self._ledger.state[done.task.name].active
        found = done.found
        return bool(found and active and active.manifest_digest == found.manifest.digest)

    def _note(self, done: Done) -> None:
        name = done.task.name
        if name not in self._ledger.state:
            self._end_gone(done)
            return
        if done.is_overtaken:
            self._ledger.note_overtaken(name)
            self.again.add(name)
        elif done.attempt.code:
            self._fail(done)
        else:
            self._ledger.note_unchanged(name, done.stay)
        self._operations.end_by(done)

    def _end_gone(self, done: Done) -> None:
        if done.task.is_asked:
            self._operations.end_gone(done.task.name)

    def _swap(
        self, desired: Project, found: Mapping[str, Done], *, is_last_try: bool = False
    ) -> bool:
        """Swap these in together; False when it was refused and each may be tried alone."""
        result = self._swapper.swap(desired, {n: d.found for n, d in found.items() if d.found})
        if isinstance(result, Refused):
            if not is_last_try and len(found) > 1:
                return False
            for done in found.values():
                self._note_refused(done, result)
            return True
        for done in found.values():
            if result is not None and done.task.name in result.flipped:
                self._note_swapped(done, result)
            else:
                self._note(replace(done, found=None))
        return True

    def _note_swapped(self, done: Done, swapped: Swapped) -> None:
        assert done.found is not None
        name, manifest = done.task.name, done.found.manifest
        before = self._ledger.state[name]
        known = after_swap(done.task.wish, before, Snapshot.of(manifest))
        self._ledger.timeline.add(
            _KINDS[done.task.wish],
            name,
            by="operator" if done.task.is_asked else "source",
            from_snapshot=before.active.snapshot_id if before.active else "",
            to_snapshot=manifest.snapshot_id,
            seconds=swapped.seconds,
            generation=swapped.number,
        )
        self._ledger.note_swapped(name, replace(known, attempt=done.attempt))
        self.is_littered = True
        log.event(
            "swapped",
            dataset=name,
            snapshot=manifest.snapshot_id,
            rows=manifest.row_count,
            generation=swapped.number,
            seconds=round(swapped.seconds, 4),
        )
        self._operations.end_by(done, swapped.number)

    def _note_refused(self, done: Done, refused: Refused) -> None:
        """Remember why main refused; after a damaged part it is built again at once."""
        name = done.task.name
        failures = self._ledger.state[name].attempt.failures + 1
        attempt = replace(
            done.attempt,
            code=refused.code,
            message=refused.message,
            hint=refused.hint,
            failures=failures,
        )
        failed = replace(done, found=None, attempt=attempt)
        self._fail(failed)
        if refused.damaged is not None and failures == 1:
            self.again.add(name)
        self._operations.end_by(failed)

    def _fail(self, done: Done) -> None:
        name = done.task.name
        self._ledger.note_failure(name, done.attempt)
        self._is_memory_short |= done.attempt.code == OUT_OF_MEMORY
        self._call_off(done)

    def _call_off(self, done: Done) -> None:
        name = done.task.name
        self._ledger.change(name, after_failure(done.task.wish, self._ledger.state[name]))
