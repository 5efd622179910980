"""Measure several ways in turns, so that a slow moment of the machine hits all of them alike."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TypeVar

Measured = TypeVar("Measured")


def in_turns(ways: Mapping[str, Callable[[], Measured]], rounds: int) -> dict[str, list[Measured]]:
    """Run every way once per round and return what each measured, in order."""
    found: dict[str, list[Measured]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            found[name].append(way())
    return found


def in_process(
    module: str, arguments: Sequence[str], prefix: Sequence[str] = ()
) -> dict[str, float]:
    """Run `python -m module arguments` by itself and return the JSON object it prints last.

    `prefix` is a command that runs it, `taskset -c 1` for one.
    """
    command = [*prefix, sys.executable, "-m", module, *arguments]
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    numbers: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return numbers


def write_figures(path: Path | None, name: str, figures: Mapping[str, float]) -> None:
    """Write figures as JSON, each named `<measurement>.<figure>`; no path writes none."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            json.dumps({f"{name}.{figure}": value for figure, value in figures.items()})
        )


def peak_bytes(process: Path = Path("/proc/self")) -> int:
    """Return the greatest resident size a process has had (Linux): this one, or another."""
    for line in (process / "status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"{process}/status has no VmHWM: run the benchmark on Linux")


def middle(values: Sequence[float]) -> float:
    """Return the median."""
    return float(median(values))


def spread(values: Sequence[float], unit: str) -> str:
    """Return `median unit (least to greatest)`."""
    return f"{middle(values):8.3f} {unit}  ({min(values):.3f} to {max(values):.3f})"
