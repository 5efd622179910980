"""Look at processes from outside, through /proc: what they hold and whom they serve."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_MEMFD = re.compile(r"/memfd:([\w.-]+)")
_SOCKET = re.compile(r"socket:\[(\d+)\]")


def descriptors(pid: int) -> Counter[str]:
    """Count the open descriptors of a process by kind; of memory files, by their name."""
    return Counter(_kind(target) for target in _targets(pid))


def memory_files(pids: Iterable[int]) -> Counter[str]:
    """Count the distinct memory files that these processes hold open or mapped, by name."""
    found: dict[int, str] = {}
    for pid in pids:
        for line in _read(f"/proc/{pid}/maps").splitlines():
            fields = line.split(maxsplit=5)
            name = _MEMFD.match(fields[5]) if len(fields) == 6 else None
            if name:
                found[int(fields[4])] = name[1]
        for descriptor, target in _links(pid):
            name = _MEMFD.match(target)
            if name:
                with suppress(OSError):
                    found[Path(f"/proc/{pid}/fd/{descriptor}").stat().st_ino] = name[1]
    return Counter(found.values())


def threads(pid: int) -> int:
    """Return how many threads a process has."""
    return sum(1 for _ in _names(f"/proc/{pid}/task"))


def owners(client_ports: Iterable[int], server_port: int, pids: Iterable[int]) -> dict[int, int]:
    """Return which process holds the other end of each client's connection, by the client's port.

    One that nobody has accepted yet is left out.
    """
    wanted = set(client_ports)
    inodes = {}
    for line in _read("/proc/net/tcp").splitlines()[1:]:
        fields = line.split()
        local, remote = _port(fields[1]), _port(fields[2])
        if local == server_port and remote in wanted:
            inodes[int(fields[9])] = remote
    found = {}
    for pid in pids:
        for target in _targets(pid):
            held = _SOCKET.fullmatch(target)
            if held and int(held[1]) in inodes:
                found[inodes[int(held[1])]] = pid
    return found


def is_alive(pid: int) -> bool:
    """Tell whether a process exists and is no zombie."""
    return _state_and_parent(pid)[0] not in "ZX"


def is_busy(pid: int) -> bool:
    """Tell whether a process runs, wants to, or waits for the disk."""
    return _state_and_parent(pid)[0] in "RD"


def zombies(parent: int) -> int:
    """Return how many children of a process have ended and were not reaped."""
    pids = [int(name) for name in _names("/proc") if name.isdecimal()]
    return sum(1 for pid in pids if _state_and_parent(pid) == ("Z", parent))


def open_control(main: int) -> int:
    """Open main's control block for reading; the descriptor outlives main. Raises LookupError."""
    for descriptor, target in _links(main):
        if target.startswith("/memfd:offloader-control"):
            return os.open(f"/proc/{main}/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)
    raise LookupError("main has no control block")


def has_open(pid: int, path: Path) -> bool:
    """Tell whether a process has a file open."""
    return str(path) in _targets(pid)


def command(pid: int) -> str:
    """Return the command line of a process, empty when it is gone."""
    return _read(f"/proc/{pid}/cmdline").replace("\0", " ").strip()


def _state_and_parent(pid: int) -> tuple[str, int]:
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (fields[0], int(fields[1])) if fields else ("X", 0)


def _kind(target: str) -> str:
    memory = _MEMFD.match(target)
    if memory:
        return f"memory file {memory[1]}"
    if target.startswith("/"):
        return "file"
    return target.partition(":")[0] if not target.startswith("anon_inode:") else target


def _targets(pid: int) -> list[str]:
    return [target for _, target in _links(pid)]


def _links(pid: int) -> list[tuple[str, str]]:
    found = []
    for name in _names(f"/proc/{pid}/fd"):
        with suppress(OSError):
            found.append((name, str(Path(f"/proc/{pid}/fd/{name}").readlink())))
    return found


def _names(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as found:
            return [entry.name for entry in found]
    except OSError:
        return []


def _port(address: str) -> int:
    return int(address.rpartition(":")[2], 16)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
