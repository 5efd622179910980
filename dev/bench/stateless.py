"""Time a replica without a volume: a project of 66 datasets and 67 endpoints, all in a bucket.

The emulator of GCS holds project and snapshots. Replicas start with an empty cache, first without
a segment store, then with one that another replica has filled. Then, in one that runs: a changed
limit in the project until every worker has it; a new snapshot until it is served; and the same
while another dataset's source hangs, which must make no difference.

    python -m dev.bench.stateless [--datasets N] [--rounds N] [--workers N] [--json PATH]
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from dev.bench.rounds import middle, spread, write_figures
from dev.bench.usage_service import Service, get, running, segment_bytes, wait_for, write_project
from dev.emulators.fault_proxy import FaultProxy, fault_proxy
from dev.emulators.fault_rules import Fault
from dev.emulators.gcs import GcsEmulator, gcs_emulator

BUCKET, PREFIX, STORE = "bench-bucket", "project", "segments"
ROWS = 2_000
INTERVAL_SECONDS = 1.0
SLOW_BOUND = 1.5  # a swap beside a source that hangs, against one beside sources that answer
_CHANGED, _SLOW = "usage_002", "usage_001"


@dataclass(slots=True)
class Scene:
    """The emulator behind a proxy, and the project in it."""

    emulator: GcsEmulator
    proxy: FaultProxy
    project: Path
    folder: Path
    workers: int
    turns: Iterator[int] = field(default_factory=count)

    def put(self, path: Path) -> None:
        """Upload one file of the project."""
        key = f"{PREFIX}/{path.relative_to(self.project)}"
        self.emulator.put(BUCKET, key, path)

    @contextmanager
    def replica(
        self, *, is_sharing: bool, is_behind_proxy: bool = False
    ) -> Iterator[tuple[Service, float]]:
        """Run a replica with an empty cache; give the seconds it took to be ready, too."""
        cache = self.folder / f"cache{next(self.turns)}"
        settings = {
            "CONFIG_SYNC_INTERVAL": str(INTERVAL_SECONDS),
            "REFRESH_INTERVAL": str(INTERVAL_SECONDS),
        }
        if is_sharing:
            settings["SEGMENT_STORE"] = f"gs://{BUCKET}/{STORE}"
        url = f"gs://{BUCKET}/{PREFIX}"
        began = time.perf_counter()
        store_url = self.proxy.url if is_behind_proxy else self.emulator.url
        environ = {"STORAGE_EMULATOR_HOST": store_url}
        with running(url, cache, self.workers, settings, environ=environ) as service:
            yield service, time.perf_counter() - began
        shutil.rmtree(cache)


def main(argv: list[str] | None = None) -> int:
    """Print the times; return 1 when a slow source delays a swap of another dataset."""
    parser = argparse.ArgumentParser(description="Time replicas whose project is in a bucket.")
    parser.add_argument("--datasets", type=int, default=66)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    arguments = parser.parse_args(argv)
    with (
        tempfile.TemporaryDirectory() as folder,
        gcs_emulator() as emulator,
        fault_proxy(emulator.url) as proxy,
    ):
        root = Path(folder)
        project = write_project(root / "project", ROWS, arguments.datasets, ("by_region",))
        emulator.make_bucket(BUCKET)
        emulator.put_folder(BUCKET, PREFIX, project)
        scene = Scene(emulator, proxy, project, root, arguments.workers)
        return _measure(scene, arguments.rounds, arguments.json)


def _measure(scene: Scene, rounds: int, figures: Path | None) -> int:
    boots: dict[bool, list[float]] = {False: [], True: []}
    with scene.replica(is_sharing=True, is_behind_proxy=True) as (service, _):
        _wait_for_uploads(scene)
        size_bytes = sum(map(segment_bytes, scene.folder.glob("cache*")))
        endpoints = len(list((scene.project / "endpoints").iterdir()))
        datasets = len(list((scene.project / "datasets").iterdir()))
        print(f"{datasets} datasets, {endpoints} endpoints, {size_bytes / 1e6:.1f} MB of segments")
        told = _in_one_that_runs(scene, service, rounds)
    for _ in range(rounds):
        for is_sharing in boots:
            with scene.replica(is_sharing=is_sharing) as (_, seconds):
                boots[is_sharing].append(seconds)
    told |= {"boot_building": boots[False], "boot_fetching": boots[True]}
    ratio = middle(told["swap_beside_slow"]) / middle(told["swap"])
    rows = (
        ("boot_building", "empty cache to ready, every segment built"),
        ("boot_fetching", "empty cache to ready, segments of another replica"),
        ("sync", f"changed limit in effect, interval {INTERVAL_SECONDS:g} s"),
        ("swap", f"new snapshot served, interval {INTERVAL_SECONDS:g} s"),
        ("swap_beside_slow", "the same, while another source hangs"),
    )
    for name, what in rows:
        print(f"{what:52} {spread(told[name], 's')}")
    faster = middle(told["boot_building"]) / middle(told["boot_fetching"])
    print(f"building / fetching segments   {faster:6.2f}x")
    print(f"swap beside a slow source      {ratio:6.2f}x of one without, bound {SLOW_BOUND}x")
    write_figures(figures, "stateless", {name: middle(told[name]) for name, _ in rows})
    return int(ratio > SLOW_BOUND)


def _in_one_that_runs(scene: Scene, service: Service, rounds: int) -> dict[str, list[float]]:
    turns = range(rounds)
    sync = [_timed(lambda turn=turn: _change_limit(scene, service, turn)) for turn in turns]
    swap, beside_slow = [], []
    for turn in turns:
        swap.append(_timed(lambda turn=turn: _swap(scene, service, f"r{turn}")))
        with scene.proxy.during(Fault(hang=True, only=f"{_SLOW}_data")):
            beside_slow.append(_timed(lambda turn=turn: _swap(scene, service, f"s{turn}")))
    return {"sync": sync, "swap": swap, "swap_beside_slow": beside_slow}


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _change_limit(scene: Scene, service: Service, turn: int) -> None:
    path = scene.project / "endpoints" / f"{_CHANGED}_by_region.yml"
    document = json.loads(path.read_text())
    limit = 3 + turn
    document["pagination"] = {"default_limit": limit, "max_limit": 50}
    path.write_text(json.dumps(document))
    scene.put(path)
    target = f"/v1/endpoints/{_CHANGED}_by_region"
    wait_for(lambda: json.loads(get(service.api, target)[1])["meta"]["limit"] == limit)


def _swap(scene: Scene, service: Service, snapshot_id: str) -> None:
    path = scene.project / f"{_CHANGED}_data" / "manifest.json"
    document = json.loads(path.read_text())
    document["snapshot_id"] = snapshot_id
    path.write_text(json.dumps(document))
    scene.put(path)
    target = f"/v1/endpoints/{_CHANGED}_by_region"
    wait_for(lambda: json.loads(get(service.api, target)[1])["meta"]["snapshot_id"] == snapshot_id)


def _wait_for_uploads(scene: Scene) -> None:
    """Wait until every part that the replica built is in the segment store."""
    parts = {path.name for path in scene.folder.glob("cache*/segments/*/*")}

    def is_there() -> bool:
        keys = scene.emulator.keys(BUCKET, STORE)
        return parts <= {name for key in keys for name in re.findall("[0-9a-f]{32}", key)}

    wait_for(is_there)


if __name__ == "__main__":
    raise SystemExit(main())
