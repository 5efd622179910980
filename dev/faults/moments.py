"""The moments of a swap as the disk and main's memory show them, from the announcement on.

announced → downloaded → building → writing → built → committed → saved
"""

from __future__ import annotations

import json
import os
import struct
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dev.faults.processes import open_control
from dev.faults.project import Source, snapshot_id
from tests.service_process import Running

Phase = Literal["download", "build", "write", "prepare", "commit", "state write", "after"]
PHASES: tuple[Phase, ...] = ("download", "build", "write", "prepare", "commit", "state write")
# How long each takes at least, roughly: the kill comes at a random moment of it.
SPREAD_SECONDS = {
    "download": 0.002,
    "build": 0.4,
    "write": 0.01,
    "prepare": 0.02,
    "commit": 0.0005,
    "state write": 0.0005,
}
_LOOK_SECONDS = 0.0002


@dataclass(slots=True, eq=False)
class Watch:
    """Watches one run for the swap to snapshot `number`."""

    service: Running
    cache: Path
    source: Source
    number: int
    parts_before: frozenset[str]
    control: int  # a descriptor of main's control block, which outlives main
    generation_before: int

    @classmethod
    def of(
        cls, service: Running, cache: Path, source: Source, number: int, parts: frozenset[str]
    ) -> Watch:
        """Begin to watch, before it is announced; `parts` are those that were there before."""
        watch = cls(service, cache, source, number, parts, open_control(service.process.pid), 0)
        watch.generation_before = watch.generation()
        return watch

    def close(self) -> None:
        """Let go of the control block."""
        os.close(self.control)

    def generation(self) -> int:
        """Return the committed generation, also of a main that is dead."""
        return int(struct.unpack("=Q", os.pread(self.control, 8, 0))[0])

    def await_phase(self, phase: Phase, limit_seconds: float) -> bool:
        """Wait until a phase begins; tell whether it did in time."""
        deadline = time.monotonic() + limit_seconds
        while time.monotonic() < deadline:
            if self._has_begun(phase):
                return True
            time.sleep(_LOOK_SECONDS)
        return False

    def _has_begun(self, phase: Phase) -> bool:
        """Tell whether a phase has begun; one may be too short to be seen, so later ones count."""
        if self._is_saving() or self._is_committed():
            return phase != "state write" or self._is_saving() or self.saved() == self.number
        if self._is_built():
            return phase in PHASES[:4]
        if self._is_writing():
            return phase in PHASES[:3]
        if self._is_building():
            return phase in PHASES[:2]
        return phase == "download" and self._is_downloading()

    def phase(self) -> Phase:
        """Return how far the swap had come; for after the kill."""
        if self.saved() == self.number:
            return "after"
        if self._is_committed():
            return "state write" if self._is_saving() else "commit"
        if self._is_built() and not self._is_writing():
            return "prepare"
        if self._is_writing():
            return "write"
        return "build" if self._is_building() else "download"

    def is_committed(self) -> bool:
        """Tell whether this run committed the snapshot; for after the kill."""
        said = [line["snapshot"] for line in self.service.events("swapped")]
        return snapshot_id(self.number) in said or self._is_committed()

    def saved(self) -> int:
        """Return the number of the snapshot that the state file calls active, 0 for none."""
        active = saved_state(self.cache)["datasets"][self.source.name]["active"]
        return int(active["snapshot_id"][1:]) if active else 0

    def _is_downloading(self) -> bool:
        return any(_temporary(self.cache / "manifests" / self.source.name))

    def _is_building(self) -> bool:
        started = self.service.events("build_started")
        return any(line["snapshot"] == snapshot_id(self.number) for line in started)

    def _is_writing(self) -> bool:
        return any(_temporary(self.cache / "segments" / self.source.name))

    def _is_built(self) -> bool:
        new = parts_in(self.cache, self.source) - self.parts_before
        return len(new) >= 2 and not self._is_writing()

    def _is_committed(self) -> bool:
        return self._is_built() and self.generation() > self.generation_before

    def _is_saving(self) -> bool:
        return any(_temporary(self.cache))


def parts_in(cache: Path, source: Source) -> frozenset[str]:
    """Return the ids of a dataset's parts in the cache."""
    with suppress(OSError), os.scandir(cache / "segments" / source.name) as found:
        return frozenset(entry.name for entry in found if not entry.name.startswith("."))
    return frozenset()


def _temporary(folder: Path) -> list[str]:
    """Return the names of the temporary files in a folder; a path object would be slow here."""
    with suppress(OSError):
        with os.scandir(folder) as found:
            names = [entry.name for entry in found]
        return [name for name in names if name.startswith(".") and name.endswith(".tmp")]
    return []


def saved_state(cache: Path) -> Any:
    """Return the state file's document; raises ValueError when it is torn."""
    return json.loads((cache / "state.json").read_bytes())
