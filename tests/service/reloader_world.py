"""A world around the reloader in which everything may fail or be killed, and that watches it.

Main checks every generation that is committed: contract and parts fit, what is served was built,
passed its guards and is sound, and no dataset goes back unless somebody wanted it to.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from offloader.catalog.compatibility import check_schema
from offloader.catalog.documents import parse_documents
from offloader.catalog.manifest import Manifest, parse_manifest
from offloader.service.cache import Cache
from offloader.service.generation_document import entry_of, kept_manifest
from offloader.service.lease import Lease, lease
from offloader.service.main.warm_start import warm_document
from offloader.service.quarantine import mark, marks, put_away
from offloader.service.reloader import ledger as ledger_module
from offloader.service.reloader import operations as operations_module
from offloader.service.reloader import reloader as reloader_module
from offloader.service.reloader import work as work_module
from offloader.service.reloader.main_link import Prepared, Refused
from offloader.service.state import DatasetState, load_state, save_state
from offloader.shared.file_lock import close_lock
from tests.service.building import loaded
from tests.service.fake_main import Document, FakeBuilder, FakeMain, is_sound
from tests.service.reloading import Story

STEPS = (
    *("before_prepare", "after_prepare", "before_commit", "after_commit"),
    *("before_build", "after_build", "before_save", "after_save", "after_mark", "at_once"),
)
GUARDS = {"min_rows": 1}


class Killed(BaseException):
    """The reloader ends here, and nothing of it is left but files."""


class Fuse:
    """Kills the reloader, or main with it, when it comes to a certain step."""

    def __init__(self, step: str = "", *, is_main: bool = False) -> None:
        self.step = step
        self.is_main = is_main

    def pass_by(self, step: str) -> None:
        if step == self.step:
            self.step = ""
            raise Killed(step)


class WatchedMain(FakeMain):
    """Main that looks closely at what it is to commit."""

    def __init__(self, cache: Cache, document: Document, world: World) -> None:
        super().__init__(cache, document)
        self._world = world

    def prepare(self, document: Document) -> Prepared | Refused:
        self._world.fuse.pass_by("before_prepare")
        prepared = super().prepare(document)
        self._world.fuse.pass_by("after_prepare")
        return prepared

    def commit(self, number: int) -> float:
        self._world.fuse.pass_by("before_commit")
        before = self.committed["snapshots"]
        seconds = super().commit(number)
        self._world.check_served(self.committed)
        self._world.check_direction(before, self.committed["snapshots"])
        self._world.fuse.pass_by("after_commit")
        return seconds


class Builder(FakeBuilder):
    """A builder that dies, and that remembers what it brought to a good end."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self.good: set[str] = set()

    def __call__(self, job: Document, on_standstill: Callable[[], None]) -> int:
        self._world.fuse.pass_by("before_build")
        written = super().__call__(job, on_standstill)
        self.good.add(Path(job["manifest_copy"]).name)
        self._world.fuse.pass_by("after_build")
        return written


class World(Story):
    """A story of two datasets, and what its operators and its config have ever wished for.

    `wanted` are the ids that somebody pinned, `unwanted` the digests that somebody put away,
    `accepted` those that an operator may have accepted, each by dataset.
    """

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.fuse = Fuse()
        self.published: dict[str, list[bytes]] = defaultdict(list)
        self.wanted: dict[str, set[str]] = defaultdict(set)
        self.unwanted: dict[str, set[str]] = defaultdict(set)
        self.accepted: dict[str, set[str]] = defaultdict(set)
        self.kills = 0
        self._leases: list[Lease] = []
        self._minutes = 0
        self._mains: list[FakeMain] = []
        super().__init__(folder, "a", "b", guards=GUARDS)
        self.builder = self.good_builder = Builder(self)
        self.now = time.time()  # the collector compares it with the times of files
        self._patch(patch)
        self.begin()

    def publish_new(self, name: str, *, rows: int = 10, minutes: int | None = None) -> None:
        """Publish a snapshot of its own id, newer than all others unless told otherwise."""
        self._minutes += 1
        at = self._minutes if minutes is None else minutes
        self.publish(name, f"{name}{self._minutes}", minutes=at, rows=rows)

    def publish(self, name: str, snapshot_id: str, **fields: Any) -> None:
        super().publish(name, snapshot_id, **{"rows": 10, **fields})
        self.published[name].append(self.manifest(name).read_bytes())

    def id_of(self, name: str, which: str) -> str:
        """Return the id of the previous snapshot, of what the source has, or of the oldest."""
        known = load_state(self.cache.state).datasets.get(name, DatasetState())
        source = self.source(name)
        found = {
            "previous": known.previous.snapshot_id if known.previous else "",
            "source": source.snapshot_id if source else "",
            "oldest": "s1",
        }
        return found.get(which, "")

    def source(self, name: str) -> Manifest | None:
        """Return what a source has now, None for nothing that can be read."""
        try:
            return parse_manifest(self.manifest(name).read_bytes(), "manifest.json")
        except Exception:
            return None

    def digests(self, name: str, snapshot_id: str) -> set[str]:
        """Return the digests of everything that was published under an id."""
        return {one.digest for one in self.manifests(name) if one.snapshot_id == snapshot_id}

    def manifests(self, name: str) -> list[Manifest]:
        """Return every manifest that was published, in order."""
        return [parse_manifest(raw, "manifest.json") for raw in self.published[name]]

    def served(self, name: str) -> dict[str, Any] | None:
        """Return the snapshot that is served."""
        entry = self.main.committed["snapshots"].get(name)
        return dict(entry["snapshot"]) if entry else None

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Have another reloader when the one there is was killed in the block."""
        try:
            yield
            self.fuse.pass_by("at_once")
        except Killed:
            self.kills += 1
            if self.fuse.is_main:
                self.kill_main()
            else:
                self.revive()

    def revive(self) -> None:
        """Start a reloader after the one before was killed: its locks are gone, its files not."""
        for one in self._leases:
            descriptor, one._descriptor = one._descriptor, None
            if descriptor is not None:
                close_lock(descriptor)
        self._leases.clear()
        self.fuse = Fuse()
        is_known = self.reloader._desired.documents == loaded(self.root).documents
        is_seen = is_known and self.reloader._events.empty()
        self.begin()
        if not is_seen:
            self.see_config()  # as the watch does when it begins

    def kill_main(self) -> None:
        """Start main anew, and with it a reloader; damaged parts are put away as main does."""
        self.project = loaded(self.root)
        self.main = self._main()
        self.revive()

    def close(self) -> None:
        self.revive()
        for main in self._mains:
            main.close()

    def check_served(self, document: Document) -> None:
        """Fail unless contract and parts fit, and every snapshot is sound and was verified."""
        catalog = parse_documents(document["documents"])
        for name, entry in document["snapshots"].items():
            digest = entry["snapshot"]["manifest_digest"]
            manifest = kept_manifest(self.cache, name, digest)
            assert manifest is not None, f"the manifest of what {name} serves is gone"
            assert check_schema(manifest, catalog.datasets[name]) == []
            assert entry == entry_of(catalog, name, manifest, entry["copy"])
            assert manifest.row_count >= GUARDS["min_rows"], f"{name} serves what guards refuse"
            assert digest in self.good_builder.good, f"{name} serves what was never built"

    def check_direction(self, before: Document, after: Document) -> None:
        """Fail when a dataset goes back without anybody's wish."""
        for name in before.keys() & after.keys():
            old, new = before[name]["snapshot"], after[name]["snapshot"]
            age = [(one["watermark"], one["created_at"]) for one in (old, new)]
            is_wanted = (
                new["snapshot_id"] in self.wanted[name]
                or old["manifest_digest"] in self.unwanted[name]
                or new["manifest_digest"] in self.accepted[name]
            )
            assert age[0] <= age[1] or is_wanted, f"{name} went back from {old} to {new}"

    def _main(self, *without: str) -> FakeMain:
        while True:
            saved = load_state(self.cache.state)
            document = warm_document(self.cache, self.project, saved, without)
            damaged = [
                (name, part_id)
                for name, entry in document["snapshots"].items()
                for part_id in entry["parts"]
                if not is_sound(self.cache.part(name, part_id))
            ]
            for name, part_id in damaged:
                put_away(self.cache, name, [part_id], "damaged", self.now)
            if not damaged:
                break
        for name, entry in document["snapshots"].items():
            known, digest = saved.datasets[name], entry["snapshot"]["manifest_digest"]
            away = {one.manifest_digest for one in known.rolled_back}
            away |= {one.manifest_digest for one in marks(self.cache, name)}
            assert digest not in away or digest == known.accepted, f"{name} begins with {digest}"
        if document["snapshots"]:
            self.check_served(document)
        self._mains.append(WatchedMain(self.cache, document, self))
        return self._mains[-1]

    def _patch(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(reloader_module, "HEARTBEAT_SECONDS", 0.0)
        patch.setattr("os.fsync", lambda _: None)  # nothing here loses its power supply

        def leased(*arguments: Any, **fields: Any) -> Lease:
            self._leases.append(lease(*arguments, **fields))
            return self._leases[-1]

        def saved(*arguments: Any) -> None:
            self.fuse.pass_by("before_save")
            save_state(*arguments)
            self.fuse.pass_by("after_save")

        def marked(*arguments: Any) -> None:
            mark(*arguments)
            self.fuse.pass_by("after_mark")

        patch.setattr(work_module, "lease", leased)
        patch.setattr(ledger_module, "save_state", saved)
        patch.setattr(operations_module, "mark", marked)
