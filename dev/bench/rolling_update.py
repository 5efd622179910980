"""Roll a release out to two instances behind nginx, again and again, under load.

Two real services, a real nginx with the configuration of `infra/rolling-update`, and a client that
never asks a second time: a request that is lost is counted.

    python -m dev.bench.rolling_update [--rollouts N] [--way switch|reload|passive|marking]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dev.bench.rounds import write_figures
from dev.rollout.answers import Answers, learn
from dev.rollout.front import front, program
from dev.rollout.instance import EXAMPLE, two_instances
from dev.rollout.load import Load, Tally, loading
from dev.rollout.rollout import WAYS, roll_out, way_called

QUIET_SECONDS = 10.0
_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Found:
    """Seconds of each rollout, what came of the requests, answers by version, tries by error."""

    seconds: tuple[float, ...]
    tally: Tally
    seen: dict[int, int]
    failed_tries: dict[str, int]

    def times(self, phase: str) -> tuple[float, float, float]:
        """Return p50, p99 and the most, in milliseconds."""
        ordered = sorted(self.tally.times_ms.get(phase, [])) or [0.0]
        last = len(ordered) - 1
        return ordered[last // 2], ordered[int(last * 0.99)], ordered[last]

    def figures(self) -> dict[str, float]:
        """Return the figures by name."""
        (p50, p99, most), (quiet_p50, quiet_p99, _) = self.times("rollout"), self.times("quiet")
        return {
            "requests": self.tally.total,
            "failed": self.tally.failed,
            "reconnects": self.tally.reconnects,
            "rollout_seconds": sum(self.seconds) / len(self.seconds),
            "quiet_p50_ms": quiet_p50,
            "quiet_p99_ms": quiet_p99,
            "rollout_p50_ms": p50,
            "rollout_p99_ms": p99,
            "rollout_most_ms": most,
        }


def main(argv: list[str] | None = None) -> int:
    """Print what came of it; return 1 when a request failed or a release was not seen."""
    parser = argparse.ArgumentParser(description="Roll releases out under load.")
    parser.add_argument("--rollouts", type=int, default=10)
    parser.add_argument("--way", choices=WAYS, default="switch")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rate", type=float, default=320.0, help="requests a second in all")
    parser.add_argument("--workers", type=int, default=2, help="of each instance")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--drain", type=float, default=5.0, help="OFFLOADER_DRAIN_SECONDS")
    parser.add_argument("--folder", help="where the files go; default: the temporary folder")
    parser.add_argument("--json", type=Path, help="where the figures go, as JSON")
    told = parser.parse_args(argv)
    if program() is None:
        print("nginx is not installed (apt-get install nginx): nothing was measured")
        return 2
    with tempfile.TemporaryDirectory(dir=told.folder) as folder:
        settings = {"drain_seconds": str(told.drain), "workers": str(told.workers)}
        data = write_rows(Path(folder), told.rows)
        found = measure(
            Path(folder), data, settings, told.way, told.rollouts, told.connections, told.rate
        )
    write_figures(told.json, "rolling_update", found.figures())
    return _report(found, told.way)


def write_rows(folder: Path, rows: int) -> Path:
    """Write rows of the example and return their folder."""
    command = [sys.executable, str(EXAMPLE / "generate.py"), "--rows", str(rows)]
    subprocess.run([*command, "--out", str(folder / "data")], check=True, stdout=subprocess.DEVNULL)
    return folder / "data"


def measure(
    folder: Path,
    data: Path,
    settings: dict[str, str],
    way: str,
    rollouts: int,
    connections: int,
    per_second: float,
    quiet_seconds: float = QUIET_SECONDS,
) -> Found:
    """Start everything, be quiet for a while, then roll out so often."""
    with two_instances(folder, data, settings) as instances:
        answers = Answers(learn(instances[0].ask), {1})
        addresses = (instances[0].address, instances[1].address)
        with front(folder / "nginx", addresses, is_marking=way == "marking") as proxy:
            load = Load(proxy.address, answers, connections, per_second)
            with loading(load):
                _pause(quiet_seconds)
                seconds = []
                for version in range(2, rollouts + 2):
                    answers.out.add(version)
                    load.phase = "rollout"
                    seconds.append(roll_out(proxy, instances, version, way_called(way)))
                    load.phase = "quiet"
                    _pause(_PAUSE_SECONDS)
                    answers.out.discard(version - 1)
            tries = proxy.failed_tries()
    return Found(tuple(seconds), load.tally, answers.seen, tries)


def _pause(seconds: float) -> None:
    threading.Event().wait(seconds)


def _report(found: Found, way: str) -> int:
    tally, rollouts = found.tally, len(found.seconds)
    print(f"way: {way}; {rollouts} rollouts, {_range(found.seconds)} seconds each")
    print(f"{tally.total} requests, {tally.failed} failed, {tally.reconnects} connections anew")
    for problem, count in tally.problems.most_common():
        print(f"  {count} times: {problem}")
    for problem, count in found.failed_tries.items():
        print(f"  {count} times between nginx and an instance: {problem}")
    for phase in ("quiet", "rollout"):
        p50, p99, most = found.times(phase)
        count = len(tally.times_ms.get(phase, []))
        print(f"{phase:8}{count:8} requests, p50 {p50:.1f} ms, p99 {p99:.1f}, most {most:.0f}")
    (p50, p99, _), (quiet_p50, quiet_p99, _) = found.times("rollout"), found.times("quiet")
    print(f"rollout to quiet: p50 {p50 / quiet_p50:.2f} times, p99 {p99 / quiet_p99:.2f}")
    missing = [version for version in range(1, rollouts + 2) if not found.seen.get(version)]
    if missing:
        print(f"BROKEN: no answer was of version {missing}")
    return 1 if tally.failed or missing else 0


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.1f} to {max(values):.1f}"


if __name__ == "__main__":
    raise SystemExit(main())
