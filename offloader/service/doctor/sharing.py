"""The segment store: may it be read, and, if that is asked for, written."""

from __future__ import annotations

import io

from offloader.errors import SourceUnavailable
from offloader.service.doctor.finding import Check, Finding
from offloader.service.segment_store import segment_location
from offloader.stores.location import Location
from offloader.stores.open import Stores
from offloader.stores.store import ObjectExists, ObjectStore

CHECK = "segment store"
PROBE = "doctor-probe"
_CONTENT = b"Made by `offloader doctor --write-probe`: this prefix can be written.\n"


def check_segment_store(where: str, stores: Stores, *, write_probe: bool) -> list[Finding]:
    """List the store, and with `write_probe` make one small object in it, which stays.

    Whatever is wrong here costs time, never a swap: segments are built instead of fetched.
    """
    location = segment_location(where)
    check = Check("environment", CHECK, location.shown, "snapshot")
    store = stores.at(location)
    try:
        listed = store.list(location.below("v").key, most=1)
        done = f"it can be read{'' if listed else ' and is empty'}"
        if write_probe:
            _write(store, location)
            done += "; it can be written"
    except SourceUnavailable as error:
        hint = f"{error.hint}; until then every replica builds its own segments"
        return [check.warn(error.code, error.message, hint)]
    return [check.ok(done)]


def _write(store: ObjectStore, location: Location) -> None:
    try:
        store.write(location.below(PROBE).key, io.BytesIO(_CONTENT), len(_CONTENT))
    except ObjectExists:
        return  # of a probe before: who may not write is told so before that
