"""A process that uses a cache volume as an instance does, round by round, seeded.

`python -m tests.service.volume_user ROOT SEED ROUNDS`: each round takes a lease, builds what is
missing, saves a state that holds it, then sweeps or collects. It prints what it lost, as JSON.
"""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path

from offloader.service.cache import Cache
from offloader.service.collect import collect
from offloader.service.instance import Instance, claim
from offloader.service.lease import lease
from offloader.service.state import Held
from tests.service.volumes import digest, save_holding, write_part

DATASET = "usage"
IDS = 12
AHEAD_SECONDS = 3600.0  # nothing is spared for being young: locks and leases alone must do


def main(root: str, seed: str, rounds: str) -> None:
    """Use the volume for some rounds."""
    cache, chance = Cache(Path(root)), random.Random(int(seed))
    used = claim(cache)
    sys.stdout.write(f"{used.number}\n")
    sys.stdout.flush()
    lost: list[str] = []
    removed = 0
    for _ in range(int(rounds)):
        held = _hold_others(cache, used, chance, lost)
        if chance.random() < 0.3:
            cache.sweep([DATASET])
        if chance.random() < 0.6:
            found = collect(cache, {DATASET: held}, used.state, time.time() + AHEAD_SECONDS)
            removed += found.files
            lost += found.errors
        if lost:
            break
    sys.stdout.write(json.dumps({"lost": lost, "removed": removed}))


def _hold_others(cache: Cache, used: Instance, chance: random.Random, lost: list[str]) -> Held:
    parts = [digest(number) for number in chance.sample(range(IDS), 3)]
    manifest = digest(100 + chance.randrange(IDS))
    with lease(cache, DATASET, parts, [manifest]):
        cache.keep_manifest(DATASET, manifest, manifest.encode())
        for part_id in parts:
            if not cache.part(DATASET, part_id).exists():
                write_part(cache, DATASET, part_id)
        paths = [cache.part(DATASET, part_id) for part_id in parts]
        lost += [path.name for path in paths if not path.exists()]
        save_holding(used.state, DATASET, parts, [manifest])
    paths.append(cache.manifest(DATASET, manifest))
    lost += [path.name for path in paths if not path.exists()]
    return Held(tuple(parts), (manifest,))


if __name__ == "__main__":
    main(*sys.argv[1:])
