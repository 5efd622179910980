"""Fetch a project from a bucket: list, read each file at the version that was listed, list again.

What is on the cache volume already is not read again. A list that has changed meanwhile is
followed, so that half of somebody's upload is taken only when it never comes to an end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from offloader.catalog.project import PROJECT_FILE
from offloader.catalog.yaml_file import MAX_FILE_BYTES
from offloader.errors import SourceUnavailable
from offloader.service.config.place import permissions_named, prefix_of
from offloader.service.config.revisions import Fetched, Revision, Revisions
from offloader.service.config.selection import (
    MAX_OBJECTS,
    Objects,
    check_project_file,
    chosen,
    fingerprint,
    layout_of,
    named,
)
from offloader.stores.download import read_found
from offloader.stores.location import Location
from offloader.stores.store import ObjectChanged, ObjectStore, StoredObject, StoreFailed

READS_AT_ONCE = 8
TRIES = 5


def list_project(store: ObjectStore, place: Location) -> Objects:
    """Return what lies under a project's prefix; one call of the store for 1,000 objects.

    Raises ConfigError `too_many_objects`, SourceUnavailable.
    """
    prefix = prefix_of(place)
    with permissions_named(place):
        return named(store.list(prefix, most=MAX_OBJECTS), prefix)


def fetch_revision(
    store: ObjectStore, place: Location, revisions: Revisions, clock: Callable[[], float]
) -> Revision:
    """Fetch a project into the cache, unless it lies there already; return what lies there.

    Raises as `fetch`, also when the volume cannot be written.
    """
    found = fetch(store, place, revisions.find)
    return found if isinstance(found, Revision) else revisions.keep(found, clock())


def fetch(
    store: ObjectStore,
    place: Location,
    known: Callable[[Objects], Revision | None] = lambda _: None,
) -> Fetched | Revision:
    """Fetch a project, or return the revision that is `known` to be what is listed.

    Names and sizes are checked, no more. Raises ConfigError with what is refused;
    SourceUnavailable, `config_unsettled` when the files change faster than they are read.
    """
    objects = list_project(store, place)
    fetched = None
    for _ in range(TRIES):
        revision = known(objects)
        if revision is not None:
            return revision
        try:
            with permissions_named(place):
                fetched = _read(store, objects)
        except ObjectChanged:
            pass
        except StoreFailed as error:
            if error.code != "object_checksum_differs":  # a damage on the way: read again
                raise
        objects = list_project(store, place)
        if fetched is not None and fingerprint(objects, fetched.layout) == fetched.listing:
            return fetched
    if fetched is None:
        message = "the project's files changed again and again while they were read"
        hint = "write them, then leave them alone; it is tried again"
        raise SourceUnavailable("config_unsettled", message, hint)
    return fetched


def _read(store: ObjectStore, objects: Objects) -> Fetched:
    first = check_project_file(objects)
    content = read_found(store, first, MAX_FILE_BYTES)
    layout = layout_of(content)
    files = chosen(objects, layout)
    others = {name: one for name, one in files.items() if name != PROJECT_FILE}
    contents = {PROJECT_FILE: content, **_read_all(store, others)}
    return Fetched(contents, layout, layout.folders_of(objects), fingerprint(objects, layout))


def _read_all(store: ObjectStore, files: Mapping[str, StoredObject]) -> dict[str, bytes]:
    pool = ThreadPoolExecutor(READS_AT_ONCE, "config-read")
    try:
        reads = [pool.submit(read_found, store, one, MAX_FILE_BYTES) for one in files.values()]
        return {name: read.result() for name, read in zip(files, reads, strict=True)}
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
