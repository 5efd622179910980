"""The life of datasets under any sequence of events: rules of a state machine over the reloader.

Sources publish good, bad, older and repeated snapshots; operators act; the config changes; builds
and swaps fail; the reloader is killed at any of its steps, and main with it. Whatever comes, main
never commits what it must not (see World), and once there is peace the wishes are fulfilled.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from offloader.errors import SnapshotRefused, SourceUnavailable
from offloader.service.actions import Kind, Result
from offloader.service.generation_document import kept_manifest
from offloader.service.quarantine import marks
from offloader.service.reloader.config_watch import ConfigSeen
from offloader.service.reloader.main_link import Refused
from offloader.service.state import load_state
from tests.projects import write_yaml
from tests.service.building import loaded
from tests.service.reloader_world import GUARDS, STEPS, World
from tests.service.reloading import COLUMNS, dataset_document

NAMES = st.sampled_from(["a", "b"])
PEACE_SECONDS = 1000.0  # longer than any pause after a failure
FULL = Refused("memory_limit", "9 MiB do not fit", "raise the limit")
FAILURES = {
    "killed": SourceUnavailable("builder_killed", "the builder ended", "give it more memory"),
    "refused": SnapshotRefused("file_missing", "part-0 is not there", "publish it again"),
}
TROUBLE = ("main", "part", "published", *FAILURES)
CHANGES = ("new", "new", "bad", "older", "id again", "back", "broken", "gone")


@dataclass(frozen=True)
class Asked:
    """An action that waits for its answer; `served` is the digest of what was served then."""

    name: str
    kind: Kind
    served: str
    answer: Future[Result]


class Life(RuleBasedStateMachine):
    """What happens to two datasets, `a` and `b`."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.patch = pytest.MonkeyPatch()
        self.world = World(self.folder, self.patch)
        self.answers: list[Asked] = []
        self.away: dict[str, set[str]] = {"a": set(), "b": set()}
        self.pins: dict[str, str | None] = {"a": "", "b": ""}  # None: nobody knows
        self.is_known = {"a": True, "b": True}  # since it was in the config all the time
        self.contracts: dict[str, dict[str, Any]] = {"a": {}, "b": {}}

    def teardown(self) -> None:
        try:
            self.there_is_peace()
        finally:
            self.world.close()
            self.patch.undo()
            shutil.rmtree(self.folder)

    @initialize()
    def it_begins(self) -> None:
        """Each dataset serves a snapshot and has one to go back to."""
        self.world.settle()
        for name in ("a", "b"):
            self.world.publish_new(name)
        self.everything_settles(200.0)

    # What sources do.

    @rule(name=NAMES, what=st.sampled_from(CHANGES), data=st.data(), is_seen=st.booleans())
    def a_source_changes(self, name: str, what: str, data: st.DataObject, is_seen: bool) -> None:
        world, path = self.world, self.world.manifest(name)
        if what in ("new", "bad"):
            world.publish_new(name, rows=10 if what == "new" else 0)
        elif what == "older":
            world.publish_new(name, minutes=0)
        elif what == "id again":
            snapshot_id = data.draw(st.sampled_from(world.ids(name)))
            world.publish(name, snapshot_id, minutes=700, rows=11)
        elif what == "back":
            path.write_bytes(data.draw(st.sampled_from(world.published[name])))
        elif what == "broken":
            path.write_bytes(b"{")
        else:
            path.unlink(missing_ok=True)
        if is_seen:
            self.everything_settles(200.0)

    # What operators do.

    @rule(
        name=NAMES,
        kind=st.sampled_from(["refresh", "rollback", "rebuild", "unpin", "pin", "quarantine"]),
        data=st.data(),
        accept=st.booleans(),
        is_seen=st.booleans(),
    )
    def an_operator_asks(
        self, name: str, kind: Kind, data: st.DataObject, accept: bool, is_seen: bool
    ) -> None:
        world, fields = self.world, dict[str, Any]()
        if kind in ("pin", "quarantine"):
            fields["snapshot_id"] = data.draw(st.sampled_from(["", *world.ids(name)]))
        if kind in ("pin", "unpin", "refresh"):
            fields["accept"] = accept
        self._note_wish(name, kind, fields)
        served = world.served(name)
        digest = served["manifest_digest"] if served else ""
        self.answers.append(Asked(name, kind, digest, world.ask(kind, name, **fields)))
        if is_seen:
            self.everything_settles(0.0)

    def _note_wish(self, name: str, kind: Kind, fields: dict[str, Any]) -> None:
        """Remember what this may lead to, before anybody knows whether it does."""
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

    @rule(name=NAMES, wide=st.booleans(), data=st.data())
    def the_config_changes(self, name: str, wide: bool, data: st.DataObject) -> None:
        pin = data.draw(st.sampled_from(["", "", *self.world.ids(name)]))
        columns = COLUMNS if wide else COLUMNS[:1]
        schema = [{"name": column, "type": kind} for column, kind in columns]
        self.contracts[name] = {"schema": schema, **({"pin": pin} if pin else {})}
        self.world.wanted[name].add(pin)
        self._write_config(name)

    @rule(is_there=st.booleans())
    def a_dataset_comes_or_goes(self, is_there: bool) -> None:
        (self.world.root / "datasets" / "b.yml").unlink(missing_ok=True)
        self.is_known["b"] = False  # nothing of it need be in the cache any more
        if is_there:
            self._write_config("b")
        self.world.see_config()

    @rule()
    def the_config_is_wrong_and_is_repaired(self) -> None:
        self.world.reloader.take_config(ConfigSeen(None, ()))
        self.world.see_config()

    def _write_config(self, name: str) -> None:
        path = self.world.root / "datasets" / f"{name}.yml"
        if name == "a" or path.exists() or not self._is_configured("b"):
            write_yaml(path, dataset_document(name, guards=GUARDS, **self.contracts[name]))
        self.world.see_config()

    def _is_configured(self, name: str) -> bool:
        return (self.world.root / "datasets" / f"{name}.yml").exists()

    # What goes wrong.

    @rule(name=NAMES, what=st.sampled_from(TROUBLE), data=st.data())
    def something_goes_wrong(self, name: str, what: str, data: st.DataObject) -> None:
        """The next build fails, for now or for good, or main refuses the next generation."""
        world = self.world
        if what == "main":
            world.main.answer = self._refuse
        elif what == "part":
            parts = sorted(world.cache.root.glob(f"segments/{name}/*"))
            if parts:
                data.draw(st.sampled_from(parts)).write_bytes(b"damaged")
        else:
            world.builder.before = lambda _: self._meanwhile(name, what)

    def _refuse(self, _: dict[str, str]) -> Refused:
        self.world.main.answer = None
        return FULL

    def _meanwhile(self, name: str, what: str) -> None:
        self.world.builder.before = lambda _: None
        if what == "published":
            self.world.publish_new(name)
        else:
            raise FAILURES[what]

    @rule(step=st.sampled_from(STEPS))
    def the_reloader_is_to_be_killed(self, step: str) -> None:
        self.world.fuse.step = step

    @rule()
    def main_is_killed(self) -> None:
        self._forget_answers()
        self.world.kill_main()

    # Time.

    @rule(seconds=st.sampled_from([0.0, 2.0, 200.0]))
    def a_turn_is_taken(self, seconds: float) -> None:
        self.world.now += seconds
        self._live(lambda: self.world.reloader.turn())

    @rule()
    def some_work_is_done(self) -> None:
        jobs = self.world.jobs
        if jobs.waiting:
            self._live(jobs.waiting.popleft())

    @rule(seconds=st.sampled_from([0.0, 200.0]))
    def everything_settles(self, seconds: float) -> None:
        self.world.now += seconds
        self._live(self.world.settle)

    @rule()
    def there_is_peace(self) -> None:
        """Everything works again, and has the time to: now every wish must be fulfilled."""
        world = self.world
        world.fuse.step, world.main.answer = "", None
        world.builder.before = lambda _: None
        for _ in range(3):
            world.now += PEACE_SECONDS
            self._live(world.settle)
        assert self.answers == [], "an action was not answered"
        for name in ("a", "b"):
            if self._is_configured(name):
                self.check_wishes(name)
        document = world.main.committed
        is_stuck = any(self._failed_for_good(name) for name in document["snapshots"])
        assert is_stuck or document["documents"] == loaded(world.root).documents

    def check_wishes(self, name: str) -> None:
        """Fail unless a dataset is where pins, operators and its source want it."""
        world, served = self.world, self.world.served(name)
        known = load_state(world.cache.state).datasets[name]
        assert (asdict(known.active) if known.active else None) == served
        assert self.pins[name] is None or known.pin == self.pins[name]
        pin = self.contracts[name].get("pin") or known.pin
        if pin and self.is_known[name] and self._is_to_be_had(name, pin):
            assert served
            assert served["snapshot_id"] == pin
        source = world.source(name)
        if not pin and source is not None and self._is_to_be_had(name, source.snapshot_id):
            assert served
            age = source.watermark, source.created_at
            is_older = age < (served["watermark"], served["created_at"])
            assert is_older or served["manifest_digest"] == source.digest
        for snapshot in (known.active, known.previous):
            assert snapshot is None or is_kept(world, name, snapshot.manifest_digest)
        if served:
            for part_id in world.main.committed["snapshots"][name]["parts"]:
                assert world.cache.part(name, part_id).exists()

    def _is_to_be_had(self, name: str, snapshot_id: str) -> bool:
        """Tell whether nothing speaks against a snapshot, and it can be built."""
        found = [m for m in self.world.manifests(name) if m.snapshot_id == snapshot_id]
        digests = {manifest.digest for manifest in found}
        if len(digests) != 1 or found[0].row_count < GUARDS["min_rows"]:
            return False  # an id that was given twice may stand for either
        known = load_state(self.world.cache.state).datasets[name]
        away = {one.manifest_digest for one in known.rolled_back} | self._marked(name)
        is_accepted = digests == {known.accepted}
        source = self.world.source(name)
        is_there = is_kept(self.world, name, *digests) or (source and source.digest in digests)
        is_away = bool(digests & away) and not is_accepted
        return bool(is_there) and not is_away and not self._failed_for_good(name)

    def _failed_for_good(self, name: str) -> bool:
        attempt = load_state(self.world.cache.state).datasets[name].attempt
        return attempt.is_final and attempt.code == "file_missing"

    def _marked(self, name: str) -> set[str]:
        return {one.manifest_digest for one in marks(self.world.cache, name)}

    @invariant()
    def what_was_put_away_is_not_served(self) -> None:
        """Once an operator was told so, over every restart."""
        for name, away in self.away.items():
            served = self.world.served(name)
            assert served is None or served["manifest_digest"] not in away

    def _live(self, work: Callable[[], object]) -> None:
        """Do something that the reloader may be killed in, and hear what it answers."""
        kills = self.world.kills
        with self.world.alive():
            work()
        if self.world.kills != kills:
            self._forget_answers()
        for asked in [one for one in self.answers if one.answer.done()]:
            self.answers.remove(asked)
            self._hear(asked, asked.answer.result(timeout=0))

    def _hear(self, asked: Asked, result: Result) -> None:
        event(f"{asked.kind}: {result.outcome} {result.code}")
        assert result.outcome in ("done", "unchanged") or (result.code and result.message)
        if result.outcome != "done":
            return
        if asked.kind == "pin":
            self.pins[asked.name] = result.to_snapshot
        if asked.kind == "unpin":
            self.pins[asked.name] = ""
        if asked.kind == "rollback":
            self.away[asked.name].add(asked.served)
        if asked.kind == "quarantine":
            self.away[asked.name] |= self._marked(asked.name)

    def _forget_answers(self) -> None:
        """The reloader is gone: what it was about to do may have been done or not."""
        for asked in self.answers:
            if asked.kind in ("pin", "unpin"):
                self.pins[asked.name] = None
        self.answers.clear()


def is_kept(world: World, name: str, digest: str) -> bool:
    return kept_manifest(world.cache, name, digest) is not None


Life.TestCase.settings = settings(
    max_examples=30,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestLife = Life.TestCase
