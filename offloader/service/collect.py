"""Remove what nothing needs any more from a cache volume that several instances may share.

What stays: what a state file holds, what a living lease names, what is being written, and
whatever is younger than a minute. When it cannot be told what is needed, nothing is removed.
Links are never followed, and only files with names of ours are removed.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from offloader.catalog.text_rules import IDENTIFIER
from offloader.errors import StartError
from offloader.service.cache import CONTENT, Cache, files_in, folders_in
from offloader.service.instance import read_state, starts_held_back, state_paths
from offloader.service.lease import SeenLease, seen_leases
from offloader.service.quarantine import is_reason
from offloader.service.removal import Collected, Removal
from offloader.service.state import Held, load_state
from offloader.shared.file_lock import close_lock, open_lock, try_lock

YOUNG_SECONDS = 60.0
FORGOTTEN_SECONDS = 7 * 86_400.0
_WAIT_SECONDS = 5.0


class _Unclear(Exception):
    """It cannot be told what is needed."""


def collect(cache: Cache, holds: Mapping[str, Held], own_state: Path, now: float) -> Collected:
    """Remove what is not needed; return how much it was, and what could not be removed.

    `holds` is what this instance needs now, beside what its state file `own_state` says; `now`
    is seconds since the epoch. Does nothing while another collector works. Never raises.
    """
    removal = Removal(cache.root, now, YOUNG_SECONDS)
    try:
        with _only_collector(cache) as is_alone:
            if is_alone:
                with suppress(OSError):  # the file of an instance that lives is never forgotten
                    os.utime(own_state, (now, now))
                _collect(cache, _ids(holds.values()), own_state, removal)
    except (OSError, StartError, _Unclear) as error:
        removal.errors.append(f"{error}: nothing more is removed")
    return removal.result()


@contextmanager
def _only_collector(cache: Cache) -> Iterator[bool]:
    """Yield whether nobody else collects or takes a lease; nobody can meanwhile."""
    descriptor = open_lock(cache.collect_lock)
    try:
        yield try_lock(descriptor) != "taken"
    finally:
        close_lock(descriptor)


def _collect(cache: Cache, own: set[str], own_state: Path, removal: Removal) -> None:
    # Leases first: one that is released meanwhile is in a state file that is read after this.
    leased, abandoned = _leased(seen_leases(cache), removal)
    needed = own | leased | _held_by_states(cache, own_state, removal)
    for path in abandoned:
        removal.remove(path)
    for kind in ("segments", "manifests", "quarantine"):
        for folder in folders_in(cache.root / kind):
            if IDENTIFIER.fullmatch(folder.name):
                _clean(Path(folder.path), needed, removal, is_quarantine=kind == "quarantine")
    for name, _, _ in os.walk(cache.root / "rebuilding", topdown=False):
        _clean(Path(name), leased, removal)
    removal.remove_temporaries(cache.root)


def _leased(found: Iterable[SeenLease], removal: Removal) -> tuple[set[str], list[Path]]:
    """Return what living leases name, and the leases that nobody holds."""
    leased: set[str] = set()
    abandoned = []
    for one in found:
        is_held = one.is_held
        if is_held is None:
            is_held = not removal.is_past_any_build(one.path)
        if not is_held:
            abandoned.append(one.path)
        elif one.needs is None:
            raise _Unclear(f"the lease {one.path.name} cannot be read")
        else:
            leased |= one.needs
    return leased, abandoned


def _held_by_states(cache: Cache, own_state: Path, removal: Removal) -> set[str]:
    """Return what any state file holds; those of instances long gone are removed."""
    held = _ids(load_state(own_state).holds.values())
    forgotten = []
    with starts_held_back(cache, wait_seconds=_WAIT_SECONDS) as living:
        for number, path in state_paths(cache).items():
            if path.name == own_state.name:
                continue
            if number not in living and removal.is_older(path, FORGOTTEN_SECONDS):
                forgotten.append(path)
                continue
            saved = read_state(path)
            if saved is None:
                raise _Unclear(f"{path.name} cannot be read")
            held |= _ids(saved.holds.values())
        for path in forgotten:
            removal.remove(path)
    return held


def _ids(holds: Iterable[Held]) -> set[str]:
    return {name for held in holds for name in (*held.parts, *held.manifests)}


def _clean(
    folder: Path, needed: Container[str], removal: Removal, *, is_quarantine: bool = False
) -> None:
    """Remove from a folder what is not needed, and the folder when nothing is left."""
    try:
        removal.remove_temporaries(folder)
        names = [entry.name for entry in files_in(folder)]
        for name in names:
            if is_quarantine:
                is_over = is_reason(name) and name.removesuffix(".reason") not in names
            else:
                match = CONTENT.fullmatch(name)
                is_over = match is not None and match[1] not in needed
            if is_over:
                removal.remove(folder / name)
        removal.remove_empty(folder)
    except OSError as error:
        removal.note(folder, error)
