"""Watching the config: every change is told once, whole, with what is wrong with it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from offloader.catalog.project_files import fingerprint
from offloader.service.reloader import config_source as module
from offloader.service.reloader.config_source import FolderSource, read_project
from offloader.service.reloader.config_watch import SETTLE_LOOKS, ConfigSeen, ConfigWatch
from tests.projects import write_yaml
from tests.service.building import loaded
from tests.service.reloading import Story, dataset_document

DEADLINE_SECONDS = 20.0


class Watch:
    """A watch over a project, and what it told."""

    def __init__(self, root: Path, interval_seconds: float = 0.0) -> None:
        self.root = root
        self.told: queue.SimpleQueue[ConfigSeen] = queue.SimpleQueue()
        source = FolderSource(root, settle_seconds=0.0)
        self.watch = ConfigWatch(source, interval_seconds, self.told.put)

    def look(self) -> ConfigSeen | None:
        """Look once; return what it told, None for nothing."""
        self.watch.look()
        return None if self.told.empty() else self.told.get()

    def next(self) -> ConfigSeen:
        """Wait for what it tells next."""
        return self.told.get(timeout=DEADLINE_SECONDS)

    def rest(self) -> None:
        """Have its thread wait until it is asked, which nobody does any more."""
        self.watch._interval_seconds = 0.0

    def write(self, **changes: object) -> None:
        aside = self.root.with_name("aside.yml")  # a thread that looks must see no half of it
        write_yaml(aside, dataset_document("a", **changes))
        aside.replace(self.root / "datasets" / "a.yml")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return Story(tmp_path, "a").root


def description(seen: ConfigSeen | None) -> str:
    assert seen is not None
    assert seen.project is not None
    assert seen.problems == ()
    return seen.project.catalog.datasets["a"].description


def test_the_first_look_tells_what_is_there(root: Path) -> None:
    """It may have changed since main read it; whoever knows it already does nothing."""
    watch = Watch(root)
    seen = watch.look()
    assert seen is not None
    assert seen.project == loaded(root)
    assert watch.look() is None


def test_a_change_is_told_once(root: Path) -> None:
    """Content counts: a file that was only touched is no change."""
    watch = Watch(root)
    watch.look()
    (root / "datasets" / "a.yml").touch()
    assert watch.look() is None
    watch.write(description="other words")
    assert description(watch.look()) == "other words"
    assert watch.look() is None
    watch.write()
    assert description(watch.look()) == ""


def test_what_is_wrong_is_told_and_so_is_its_repair(root: Path) -> None:
    """Every problem at once; the same wrong project is told once."""
    watch = Watch(root)
    watch.look()
    watch.write(shema=[], pin=1)
    seen = watch.look()
    assert seen is not None
    assert seen.project is None
    assert [problem.code for problem in seen.problems] == ["wrong_type", "unknown_key"]
    assert watch.look() is None
    watch.write()
    assert description(watch.look()) == ""


def test_a_project_that_vanishes_is_wrong(root: Path) -> None:
    """A volume that was unmounted for a while; it comes back as it was."""
    watch = Watch(root)
    watch.look()
    root.rename(root.with_name("elsewhere"))
    seen = watch.look()
    assert seen is not None
    assert [problem.code for problem in seen.problems] == ["project_missing"]
    root.with_name("elsewhere").rename(root)
    assert description(watch.look()) == ""


def test_half_a_change_is_not_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are copied one after the other: only when two looks agree it is over."""
    watch, real = Watch(root), fingerprint
    watch.look()
    steps: Iterator[str] = iter(["one", "two", "three"])

    def copied(location: Path) -> str:
        if step := next(steps, None):
            watch.write(description=step)
        return real(location)

    monkeypatch.setattr(module, "fingerprint", copied)
    assert description(watch.look()) == "three"
    assert watch.look() is None


def test_a_project_that_never_rests_is_told_all_the_same(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After so many looks; the next change is told too."""
    watch, count = Watch(root), iter(range(10**6))
    monkeypatch.setattr(module, "fingerprint", lambda _: str(next(count)))
    assert description(watch.look()) == ""
    assert next(count) == SETTLE_LOOKS + 1
    assert description(watch.look()) == ""


def test_a_swapped_link_is_a_change(root: Path, tmp_path: Path) -> None:
    """That is how a mounted ConfigMap changes."""
    (root / "datasets").rename(root / "..one")
    (root / "datasets").symlink_to("..one")
    watch = Watch(root)
    watch.look()
    write_yaml(root / "..two" / "a.yml", dataset_document("a", description="other words"))
    (root / "..swap").symlink_to("..two")
    (root / "..swap").replace(root / "datasets")
    assert description(watch.look()) == "other words"


def test_a_watch_looks_by_itself(root: Path) -> None:
    """At its start and every interval; in a thread that ends with the process."""
    watch = Watch(root, interval_seconds=0.01)
    watch.watch.start()
    assert description(watch.next()) == ""
    watch.write(description="other words")
    assert description(watch.next()) == "other words"
    watch.rest()
    assert all(t.daemon for t in threading.enumerate() if t.name == "config")


def test_without_an_interval_a_watch_looks_when_it_is_asked(root: Path) -> None:
    """A signal asks for it."""
    watch = Watch(root)
    watch.watch.start()
    watch.watch.check_now()
    assert description(watch.next()) == ""
    watch.write(description="other words")
    watch.watch.check_now()
    assert description(watch.next()) == "other words"


def test_a_look_that_breaks_does_not_end_the_watch(
    root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and what it was about to tell is told by the next one."""
    watch, broken = Watch(root, interval_seconds=0.01), iter([True])

    def read(location: Path) -> ConfigSeen:
        if next(broken, False):
            raise ZeroDivisionError("oh")
        return read_project(location)

    monkeypatch.setattr(module, "read_project", read)
    watch.watch.start()
    assert description(watch.next()) == ""
    watch.rest()
    assert [r.getMessage() for r in caplog.records] == ["config_watch_broke"]


def test_a_project_may_be_named_by_its_file(root: Path) -> None:
    """Then its folder is the project's root."""
    seen = read_project(root / "offloader.yml")
    assert seen.project is not None
    assert seen.project.root == root
    assert read_project(root).project == seen.project
