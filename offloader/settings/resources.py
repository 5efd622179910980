"""What this container may use: CPUs and memory, by cgroup (v1 or v2), affinity and machine.

A limit may stand on any cgroup from the process's own up to the root of the mount, so all of them
are read and the tightest counts. Inside a container the own path often does not exist below the
mount; then its parents, up to the mount itself, are what is seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from offloader.errors import StartError

_CGROUP_MOUNT = Path("sys/fs/cgroup")
_MEMORY_TOTAL = re.compile(r"^MemTotal:\s+([0-9]+) kB$", re.MULTILINE)
_MEMORY_AVAILABLE = re.compile(r"^MemAvailable:\s+([0-9]+) kB$", re.MULTILINE)
# Shared memory is counted as `cache` and `file`, but lies on neither of these two lists.
_RECLAIMABLE = re.compile(r"^(?:in)?active_file ([0-9]{1,20})$", re.MULTILINE)
_RECLAIMABLE_BELOW = re.compile(r"^total_(?:in)?active_file ([0-9]{1,20})$", re.MULTILINE)
_MAX_FILE_CHARACTERS = 64 * 1024


def cpu_count(root: Path, affinity: int) -> int:
    """Return the CPUs this process may use, at least 1.

    `root` is the root of the file system. `affinity` is the number of CPUs the scheduler may
    place it on. A quota of one and a half CPUs counts as two.
    """
    quotas = [*_v2_quotas(root), *_v1_quotas(root)]
    return max(1, min([affinity, *(-(-quota // period) for quota, period in quotas)]))


def memory_bytes(root: Path) -> int:
    """Return the bytes of memory this process may use: its cgroups' limit or the machine's.

    Raises StartError `memory_unknown` when neither can be read.
    """
    total = _MEMORY_TOTAL.search(_read(root / "proc/meminfo"))
    limits = [int(total[1]) * 1024] if total else []
    for folder in _folders(root, ""):
        limits += _numbers(folder / "memory.max")
    for folder in _folders(root, "memory"):
        limits += _numbers(folder / "memory.limit_in_bytes")
    if not limits:
        hint = "run on Linux with /proc mounted"
        raise StartError("memory_unknown", "the memory of this machine cannot be read", hint)
    return min(limits)


def memory_available(root: Path) -> int:
    """Return the bytes that new shared memory may still take, 0 when nothing can be read.

    That is each cgroup's limit less what is in use, where file pages that the kernel can drop do
    not count as used; and never more than the machine has available. The tightest counts.
    """
    available = _MEMORY_AVAILABLE.search(_read(root / "proc/meminfo"))
    rooms = [int(available[1]) * 1024] if available else []
    for folder in _folders(root, ""):
        rooms += _room(folder, "memory.max", "memory.current", _RECLAIMABLE)
    for folder in _folders(root, "memory"):
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
        rooms += _room(folder, *names, _RECLAIMABLE_BELOW)
    return max(0, min(rooms, default=0))


def _room(folder: Path, limit: str, usage: str, reclaimable: re.Pattern[str]) -> list[int]:
    """Return the bytes left in one cgroup; nothing when it has no limit or cannot be read."""
    limits, usages = _numbers(folder / limit), _numbers(folder / usage)
    if not limits or not usages:
        return []
    dropped = sum(int(bytes_) for bytes_ in reclaimable.findall(_read(folder / "memory.stat")))
    return [limits[0] - max(0, usages[0] - dropped)]


def _v2_quotas(root: Path) -> Iterator[tuple[int, int]]:
    for folder in _folders(root, ""):
        words = _read(folder / "cpu.max").split()
        if len(words) == 2 and words[0].isdecimal() and words[1].isdecimal() and int(words[1]):
            yield int(words[0]), int(words[1])


def _v1_quotas(root: Path) -> Iterator[tuple[int, int]]:
    for folder in _folders(root, "cpu"):
        quota = _numbers(folder / "cpu.cfs_quota_us")
        period = _numbers(folder / "cpu.cfs_period_us")
        if quota and period and period[0]:  # a quota of -1, no limit, is not digits
            yield quota[0], period[0]


def _folders(root: Path, controller: str) -> Iterator[Path]:
    """Yield the cgroup's folder and its parents up to the mount; "" is the v2 hierarchy."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if controller not in names.split(","):
            continue
        parts = [part for part in path.split("/") if part not in ("", ".", "..")]
        for mount in _mounts(root, names):
            for length in range(len(parts), -1, -1):
                yield mount.joinpath(*parts[:length])


def _mounts(root: Path, names: str) -> Iterator[Path]:
    """Yield where a hierarchy may be mounted: by its joint name, or by each controller's."""
    base = root / _CGROUP_MOUNT
    if not names:
        yield base
        yield base / "unified"
        return
    yield base / names
    for name in names.split(","):
        if name != names:
            yield base / name


def _numbers(path: Path) -> list[int]:
    text = _read(path).strip()
    return [int(text)] if text.isdecimal() and len(text) <= 20 else []


def _read(path: Path) -> str:
    """Return the start of a small file; "" when it cannot be read."""
    try:
        with path.open(encoding="utf-8", errors="replace") as opened:
            return opened.read(_MAX_FILE_CHARACTERS)
    except OSError:
        return ""
