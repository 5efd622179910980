"""The life of datasets under any sequence of events: rules of a state machine over the reloader.

Sources publish good, bad, older and repeated snapshots; operators act; the config changes; builds
and swaps fail; the reloader is killed at any of its steps, and main with it. Whatever comes, main
never commits what it must not (see World), and once there is peace the wishes are fulfilled.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from offloader.errors import SnapshotRefused, SourceUnavailable
from offloader.service.actions import Kind
from offloader.service.reloader.config_watch import ConfigSeen
from offloader.service.reloader.main_link import Refused
from tests.projects import write_yaml
from tests.service.building import loaded
from tests.service.reloader_wishes import Wishes
from tests.service.reloader_world import GUARDS, STEPS, Fuse, World
from tests.service.reloading import COLUMNS, dataset_document

PEACE_SECONDS = 1000.0  # longer than any pause after a failure
FULL = Refused("memory_limit", "9 MiB do not fit", "raise the limit")
FAILURES = {
    "killed": SourceUnavailable("builder_killed", "the builder ended", "give it more memory"),
    "refused": SnapshotRefused("file_missing", "part-0 is not there", "publish it again"),
}

NAMES = st.sampled_from(["a", "b"])
NUMBERS = st.integers(0, 9)
CHANGES = st.sampled_from(["new", "new", "bad", "older", "id again", "back", "broken", "gone"])
KINDS = st.sampled_from(["refresh", "rollback", "rebuild", "unpin", "pin", "pin", "quarantine"])
WHICH = st.sampled_from(["", "previous", "previous", "source", "oldest"])
TROUBLE = st.sampled_from(["main", "part", "published", *FAILURES])
TIME = st.sampled_from(["turn", "work", "settle", "settle", "peace"])
USUALLY = st.sampled_from([True, True, True, False])


class Life(RuleBasedStateMachine):
    """What happens to two datasets, `a` and `b`."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.patch = pytest.MonkeyPatch()
        self.world = World(self.folder, self.patch)
        self.wishes = Wishes(self.world)
        self.contracts: dict[str, dict[str, Any]] = {"a": {}, "b": {}}

    def teardown(self) -> None:
        try:
            self._have_peace()
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
        self._settle(200.0)

    @rule(name=NAMES, what=CHANGES, number=NUMBERS, is_seen=USUALLY)
    def a_source_changes(self, name: str, what: str, number: int, is_seen: bool) -> None:
        world, path = self.world, self.world.manifest(name)
        before = world.published[name]
        if what in ("new", "bad"):
            world.publish_new(name, rows=10 if what == "new" else 0)
        elif what == "older":
            world.publish_new(name, minutes=0)
        elif what == "id again":
            manifest = world.manifests(name)[number % len(before)]
            world.publish(name, manifest.snapshot_id, minutes=700, rows=11)
        elif what == "back":
            path.write_bytes(before[number % len(before)])
        elif what == "broken":
            path.write_bytes(b"{")
        else:
            path.unlink(missing_ok=True)
        self.wishes.note_source(name)
        if is_seen:
            self._settle(200.0)

    @rule(name=NAMES, kind=KINDS, which=WHICH, accept=st.booleans(), is_seen=USUALLY)
    def an_operator_asks(
        self, name: str, kind: Kind, which: str, accept: bool, is_seen: bool
    ) -> None:
        fields = dict[str, Any]()
        if is_seen:
            self._settle(0.0)  # so that no other action is under way
        if kind in ("pin", "quarantine"):
            fields["snapshot_id"] = self.world.id_of(name, which)
        if kind in ("pin", "unpin", "refresh"):
            fields["accept"] = accept
        self.wishes.ask(name, kind, fields)
        if is_seen:
            self._settle(0.0)

    @rule(name=NAMES, is_wide=st.booleans(), pinned=st.just("") | WHICH, is_there=USUALLY)
    def the_config_changes(self, name: str, is_wide: bool, pinned: str, is_there: bool) -> None:
        pin = self.world.id_of(name, pinned)
        columns = COLUMNS if is_wide else COLUMNS[:1]
        schema = [{"name": column, "type": kind} for column, kind in columns]
        self.contracts[name] = {"schema": schema, **({"pin": pin} if pin else {})}
        self.world.wanted[name].add(pin)
        self.wishes.config_pins[name] = pin
        if name == "b" and not is_there:
            self._path("b").unlink(missing_ok=True)
            self.wishes.forgotten.add("b")
        else:
            document = dataset_document(name, guards=GUARDS, **self.contracts[name])
            write_yaml(self._path(name), document)
        self.world.see_config()

    @rule(name=NAMES, what=TROUBLE, number=NUMBERS)
    def something_goes_wrong(self, name: str, what: str, number: int) -> None:
        """The next build fails, for now or for good, or main refuses the next generation."""
        world = self.world
        if what == "main":
            world.main.answer = self._refuse
        elif what == "part":
            for part in sorted(world.cache.root.glob(f"segments/{name}/*"))[number % 3 :][:1]:
                part.write_bytes(b"damaged")
        else:
            world.builder.before = lambda _: self._meanwhile(name, what)

    @rule(step=st.sampled_from(STEPS), is_main=st.booleans())
    def something_is_to_be_killed(self, step: str, is_main: bool) -> None:
        """The reloader at this step of its work, or main with it."""
        self.world.fuse = Fuse(step, is_main=is_main)

    @rule()
    def the_config_is_wrong_for_a_while(self) -> None:
        self.world.reloader.take_config(ConfigSeen(None, ()))
        self.world.see_config()

    @rule(what=TIME, seconds=st.sampled_from([0.0, 2.0, 200.0]))
    def time_passes(self, what: str, seconds: float) -> None:
        if what == "peace":
            self._have_peace()
        elif what == "settle":
            self._settle(seconds)
        elif what == "turn":
            self.world.now += seconds
            self.wishes.live(lambda: self.world.reloader.turn())
        elif self.world.jobs.waiting:
            self.wishes.live(self.world.jobs.waiting.popleft())

    @invariant()
    def what_was_put_away_is_not_served(self) -> None:
        self.wishes.check_away()

    def _have_peace(self) -> None:
        """Let everything work again, and have the time to: now every wish must be fulfilled."""
        world, wishes = self.world, self.wishes
        world.fuse, world.main.answer = Fuse(), None
        world.builder.before = lambda _: None
        for _ in range(3):
            self._settle(PEACE_SECONDS)
        assert wishes.waiting == [], "an action was not answered"
        for name in ("a", "b"):
            if self._path(name).exists():
                wishes.check(name)
        document = world.main.committed
        is_stuck = any(wishes.is_stuck(name) for name in document["snapshots"])
        assert is_stuck or document["documents"] == loaded(world.root).documents

    def _settle(self, seconds: float) -> None:
        self.world.now += seconds
        self.wishes.live(self.world.settle)

    def _path(self, name: str) -> Path:
        return self.world.root / "datasets" / f"{name}.yml"

    def _refuse(self, _: dict[str, str]) -> Refused:
        self.world.main.answer = None
        return FULL

    def _meanwhile(self, name: str, what: str) -> None:
        self.world.builder.before = lambda _: None
        if what == "published":
            self.world.publish_new(name)
            self.wishes.note_source(name)
        else:
            raise FAILURES[what]


Life.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=25,
    suppress_health_check=list(HealthCheck),
)
TestLife = Life.TestCase
