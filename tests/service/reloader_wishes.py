"""What operators were told and what the config says, held against what is served."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from typing import Any

from hypothesis import event

from offloader.service.actions import Kind, Result
from offloader.service.generation_document import kept_manifest
from offloader.service.quarantine import marks
from offloader.service.state import DatasetState, load_state
from tests.service.reloader_world import GUARDS, World


@dataclass(frozen=True)
class Asked:
    """An action that waits for its answer; `served` is the digest of what was served then.

    `wanted` is the id of the snapshot it is about.
    """

    name: str
    kind: Kind
    is_accepting: bool
    served: str
    wanted: str
    answer: Future[Result]


class Wishes:
    """The wishes of operators and config for the datasets of a world.

    `pins` are the ids that operators pinned, None where nobody knows what came of it; `away` are
    the digests that an operator put away and was told so. `forgotten` datasets were out of the
    config for a while: nothing of them need be in the cache any more.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.waiting: list[Asked] = []
        self.pins: dict[str, str | None] = defaultdict(str)
        self.config_pins: dict[str, str] = defaultdict(str)
        self.away: dict[str, set[str]] = defaultdict(set)
        self.forgotten: set[str] = set()

    def ask(self, name: str, kind: Kind, fields: dict[str, Any]) -> None:
        """Have an operator ask for something; it may be done before anybody is told."""
        world = self.world
        served, source = world.served(name), world.source(name)
        wanted = fields.get("snapshot_id") or (served["snapshot_id"] if served else "")
        if kind == "pin":
            world.wanted[name].add(wanted)
        if kind in ("rollback", "quarantine"):
            world.unwanted[name] |= world.digests(name, wanted)
        if fields.get("accept"):
            self.away[name].clear()
            world.accepted[name] |= world.digests(name, wanted)
            world.accepted[name] |= {source.digest} if source else set()
        digest = served["manifest_digest"] if served else ""
        accept = fields.get("accept", False)
        answer = world.ask(kind, name, **fields)
        self.waiting.append(Asked(name, kind, accept, digest, wanted, answer))

    def note_source(self, name: str) -> None:
        """Note that a source has something else, which an operator may accept with the rest."""
        source = self.world.source(name)
        if source is not None and any(a.is_accepting for a in self.waiting if a.name == name):
            self.world.accepted[name].add(source.digest)

    def live(self, work: Callable[[], object]) -> None:
        """Do something that the reloader may be killed in, and hear what it answers."""
        kills = self.world.kills
        with self.world.alive():
            work()
        if self.world.kills != kills:
            self._forget_answers()
        for asked in [one for one in self.waiting if one.answer.done()]:
            self.waiting.remove(asked)
            self._hear(asked, asked.answer.result(timeout=0))

    def check_away(self) -> None:
        """Fail when a dataset serves what was put away; that holds at any time."""
        for name, away in self.away.items():
            served = self.world.served(name)
            assert served is None or served["manifest_digest"] not in away

    def check(self, name: str) -> None:
        """Fail unless a dataset is where pins, operators and its source want it, in peace."""
        world, served, known = self.world, self.world.served(name), self._known(name)
        assert (asdict(known.active) if known.active else None) == served
        assert self.pins[name] is None or known.pin == self.pins[name]
        is_away = known.active is not None and self._is_away(name, known.active.manifest_digest)
        assert not is_away or self.is_stuck(name)
        pin = self.config_pins[name] or known.pin
        if pin and name not in self.forgotten and self._is_to_be_had(name, pin):
            assert served
            assert served["snapshot_id"] == pin
        source = world.source(name)
        if not pin and source is not None and self._is_to_be_had(name, source.snapshot_id):
            assert served
            is_older = (source.watermark, source.created_at) < age_of(served)
            assert is_older or served["manifest_digest"] == source.digest
        for snapshot in (known.active, known.previous):
            assert snapshot is None or self._is_kept(name, snapshot.manifest_digest)
        if served:
            for part_id in world.main.committed["snapshots"][name]["parts"]:
                assert world.cache.part(name, part_id).exists()

    def is_stuck(self, name: str) -> bool:
        """Tell whether the newest work on a dataset failed for good: it is not tried again."""
        attempt = self._known(name).attempt
        return attempt.is_final and attempt.code == "file_missing"

    def _hear(self, asked: Asked, result: Result) -> None:
        is_moved = result.from_snapshot != result.to_snapshot
        event(f"{asked.kind}: {result.outcome} {result.code} {'moved' if is_moved else ''}")
        assert result.outcome in ("done", "unchanged") or (result.code and result.message)
        if result.code == "unknown_dataset" and asked.kind in ("pin", "unpin"):
            self.pins[asked.name] = None
        if result.outcome != "done":
            return
        if asked.kind == "pin":
            self.pins[asked.name] = result.to_snapshot
        if asked.kind == "unpin":
            self.pins[asked.name] = ""
        if asked.kind == "rollback":
            self.away[asked.name].add(asked.served)
        if asked.kind == "quarantine":
            digests = self.world.digests(asked.name, asked.wanted)
            self.away[asked.name] |= self._marked(asked.name) & digests

    def _forget_answers(self) -> None:
        """The reloader is gone: what it was about to do may have been done or not."""
        for asked in self.waiting:
            if asked.kind in ("pin", "unpin"):
                self.pins[asked.name] = None
        self.waiting.clear()

    def _is_to_be_had(self, name: str, snapshot_id: str) -> bool:
        """Tell whether nothing speaks against a snapshot, and it can be built."""
        found = [one for one in self.world.manifests(name) if one.snapshot_id == snapshot_id]
        digests = {manifest.digest for manifest in found}
        if len(digests) != 1 or found[0].row_count < GUARDS["min_rows"]:
            return False  # an id that was given twice may stand for either
        source = self.world.source(name)
        is_there = self._is_kept(name, *digests) or (source and source.digest in digests)
        return bool(is_there) and not self._is_away(name, *digests) and not self.is_stuck(name)

    def _is_away(self, name: str, digest: str) -> bool:
        known = self._known(name)
        away = {one.manifest_digest for one in known.rolled_back} | self._marked(name)
        return digest in away and digest != known.accepted

    def _is_kept(self, name: str, digest: str) -> bool:
        return kept_manifest(self.world.cache, name, digest) is not None

    def _marked(self, name: str) -> set[str]:
        return {one.manifest_digest for one in marks(self.world.cache, name)}

    def _known(self, name: str) -> DatasetState:
        return load_state(self.world.cache.state).datasets[name]


def age_of(snapshot: dict[str, Any]) -> tuple[int, int]:
    return snapshot["watermark"], snapshot["created_at"]
