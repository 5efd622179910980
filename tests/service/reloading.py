"""A reloader whose main, builder and clock are the test's own, over snapshots without rows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from offloader.errors import ConfigError
from offloader.service.actions import Action, Kind, Result
from offloader.service.cache import Cache
from offloader.service.main.warm_start import warm_document
from offloader.service.project import Project
from offloader.service.reloader import reloader as reloader_module
from offloader.service.reloader.config_watch import ConfigSeen
from offloader.service.reloader.reloader import Reloader, Station
from offloader.service.reloader.sharing import Sharing
from offloader.service.state import DatasetState, load_state
from tests.projects import write_project, write_yaml
from tests.service.building import loaded, wait_for
from tests.service.fake_main import FakeBuilder, FakeMain
from tests.service.looking import lookout_of
from tests.snapshots import manifest_document, write_manifest

COLUMNS = (("id", "BIGINT"), ("tenant", "VARCHAR"))
INTERVAL_SECONDS = 100.0
BY = "f00d"
_MOST_TURNS = 200


class Jobs:
    """The reloader's pool: work waits until the test has it done, one after the other."""

    def __init__(self) -> None:
        self.waiting: deque[Callable[[], object]] = deque()

    def submit(self, work: Callable[..., object], *arguments: object) -> None:
        self.waiting.append(partial(work, *arguments))

    def run(self) -> None:
        """Do all that waits."""
        while self.waiting:
            self.waiting.popleft()()


class Story:
    """One reloader and all it talks to; time passes only by `later`.

    Its pool is a Jobs, unless it `is_threaded`: then it works at the same time as the test.
    """

    def __init__(self, folder: Path, *datasets: str, **changes: object) -> None:
        self.root, self.cache = folder / "project", Cache(folder / "cache")
        self.cache.prepare()
        self.builder, self.now, self.is_threaded = FakeBuilder(), 1000.0, False
        self.sharing: Sharing | None = None
        documents = {name: dataset_document(name, **changes) for name in datasets}
        write_project(self.root, datasets=documents)
        self.project: Project = loaded(self.root)
        for name in datasets:
            self.publish(name, "s1")
        self.main = self._main()

    def publish(
        self,
        name: str,
        snapshot_id: str,
        *,
        minutes: int = 0,
        dataset_id: str | None = None,
        rows: int = 0,
        columns: Sequence[tuple[str, str]] = COLUMNS,
    ) -> None:
        """Publish a snapshot whose watermark is `minutes` after that of the others."""
        watermark = f"2026-06-01T{minutes // 60:02}:{minutes % 60:02}:00Z"
        document = manifest_document(
            dataset_id or name, columns, [], snapshot_id=snapshot_id, watermark=watermark
        )
        if rows:
            file = {"path": "x.csv", "format": "csv", "row_count": rows, "size_bytes": 9 * rows}
            document |= {"files": [file], "row_count": rows, "size_bytes": 9 * rows}
        write_manifest(self.manifest(name), document)

    def manifest(self, name: str) -> Path:
        return self.root / "data" / name / "manifest.json"

    def begin(self) -> None:
        """Start a reloader, with the state that the one before left; main goes on."""
        self.jobs = Jobs()
        self.reloader = Reloader(
            Station(self.project, self.cache.state, INTERVAL_SECONDS, sharing=self.sharing),
            self.main,
            self.builder,
            lookout_of(self.cache),
            clock=lambda: self.now,
        )
        if not self.is_threaded:
            self.reloader._pool = self.reloader._asked = self.jobs  # type: ignore[assignment]

    def restart(self, *without: str) -> None:
        """Start main anew, which serves what the cache holds, and a reloader."""
        self.project = loaded(self.root)
        self.main = self._main(*without)
        self.begin()

    def configure(self, name: str = "a", **changes: object) -> None:
        """Change the document of a dataset, for the reloader to see."""
        write_yaml(self.root / "datasets" / f"{name}.yml", dataset_document(name, **changes))
        self.see_config()

    def see_config(self) -> None:
        """Have the project's files taken over as they are now."""
        try:
            seen = ConfigSeen(loaded(self.root))
        except ConfigError as error:
            seen = ConfigSeen(None, error.problems)
        self.reloader.take_config(seen)

    def ask(self, kind: Kind, name: str = "a", **fields: Any) -> Future[Result]:
        """Submit an operator's action."""
        return self.reloader.submit(Action(kind, name, BY, **fields))

    def act(self, kind: Kind, name: str = "a", **fields: Any) -> Result:
        """Have an operator's action carried out, and all that is due with it."""
        answer = self.ask(kind, name, **fields)
        self.settle()
        return answer.result(timeout=0)

    def settle(self) -> None:
        """Take turns until no look, no build and no action is under way."""
        if self.is_threaded:
            wait_for(self._is_settled)
            return
        for _ in range(_MOST_TURNS):
            if self._is_settled() and not self.jobs.waiting:
                return
            self.jobs.run()
        raise AssertionError("the reloader does not come to rest")

    def turn_until(self, is_there: Callable[[], object]) -> None:
        """Take turns until a condition holds."""

        def turned() -> object:
            self.reloader.turn()
            return is_there()

        wait_for(turned)

    def gather(self) -> None:
        """Start the looks that are due and have all done, but take no outcome yet."""
        self.reloader._start_due()
        self.jobs.run()

    def later(self, seconds: float = 2 * INTERVAL_SECONDS) -> None:
        """Let time pass, and all that is due then happen."""
        self.now += seconds
        self.settle()

    def datasets(self) -> Mapping[str, Any]:
        """Return what the board says of each dataset."""
        told: Mapping[str, Any] = self.main.status()["datasets"]
        return told

    def saved(self, name: str = "a") -> DatasetState:
        """Return what the state file says of a dataset."""
        return load_state(self.cache.state).datasets[name]

    def is_cached(self, name: str = "a") -> bool:
        """Tell whether every part that is served lies in the cache."""
        parts = self.main.committed["snapshots"][name]["parts"]
        return all(self.cache.part(name, part_id).is_file() for part_id in parts)

    def lose_parts(self, name: str = "a") -> None:
        """Remove every part of a dataset from the cache."""
        for path in self.cache.root.glob(f"segments/{name}/*"):
            path.unlink()

    def _main(self, *without: str) -> FakeMain:
        saved = load_state(self.cache.state)
        return FakeMain(self.cache, warm_document(self.cache, self.project, saved, without))

    def _is_settled(self) -> bool:
        self.reloader.turn()
        reloader = self.reloader
        is_due = bool(reloader._schedule.due(self.now))
        is_idle = reloader._events.empty() and not reloader._operations._running
        looking = any(told["is_looking"] for told in self.datasets().values())
        return is_idle and not is_due and not looking


def begun(folder: Path, patch: pytest.MonkeyPatch, *datasets: str, **changes: object) -> Story:
    """Start a reloader over datasets that have one snapshot each; its turns wait for nothing."""
    patch.setattr(reloader_module, "HEARTBEAT_SECONDS", 0.0)
    story = Story(folder, *datasets, **changes)
    story.begin()
    return story


def begun_with_threads(folder: Path, patch: pytest.MonkeyPatch, *datasets: str) -> Story:
    """Start a reloader that works in threads, as the real one does."""
    patch.setattr(reloader_module, "HEARTBEAT_SECONDS", 0.01)
    story = Story(folder, *datasets)
    story.is_threaded = True
    story.begin()
    return story


def dataset_document(name: str, **changes: object) -> dict[str, object]:
    """Return the document of a dataset of two columns."""
    schema = [{"name": column, "type": kind} for column, kind in COLUMNS]
    return {"id": name, "schema": schema, "manifest": f"data/{name}/manifest.json", **changes}
