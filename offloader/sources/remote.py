"""Files of a snapshot in object stores: looked up and compared with the manifest, unread."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice, takewhile
from urllib.parse import quote

from offloader.catalog.manifest import ManifestFile
from offloader.catalog.manifest_fields import MAX_PROBLEMS
from offloader.errors import ConfigError, Problem
from offloader.sources.file_problems import checksum_differs, missing, size_differs
from offloader.stores.location import Location
from offloader.stores.open import Stores
from offloader.stores.store import ObjectMissing, StoreDenied, StoredObject, StoreFailed

LOOKS_AT_ONCE = 16
LISTED_FROM = 50
_BATCH = 256
_URL_SAFE = "/!$&'()*+,;=:@~"  # a path's characters of RFC 3986, beside letters and digits


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a manifest in the version that was found; `file.path` is as errors may tell it."""

    file: ManifestFile
    at: Location
    found: StoredObject


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file of a manifest should lie; `file.path` is as errors may tell it."""

    file: ManifestFile
    at: Location


def place_of(file: ManifestFile, manifest_at: Location) -> Place | Problem:
    """Return where a file lies that has a URL, or stands beside a manifest in a store."""
    if not file.is_url:
        path = posixpath.normpath(file.path)
        is_http = manifest_at.scheme == "https"
        return Place(file, manifest_at.beside(quote(path, _URL_SAFE) if is_http else path))
    named = replace(file, path=file.path.partition("?")[0])
    try:
        return Place(named, manifest_at.beside(file.path))
    except ConfigError as error:
        fault = error.problems[0]
        return Problem(named.path, "", "url_unsupported", fault.message, fault.hint)


def look_up(places: Sequence[Place], stores: Stores) -> tuple[list[RemoteFile], list[Problem]]:
    """Look all files up without reading any; return them in order, or what is wrong with some.

    Sixteen are asked for at once; more than fifty of one bucket are listed, and what the list
    does not have, or has differently, is asked for. Stops at 100 problems. Raises
    SourceUnavailable when a store does not answer.
    """
    problems = list(islice(_listed_twice(places), MAX_PROBLEMS))
    files: list[RemoteFile] = []
    if not places or problems:
        return files, problems
    pool = ThreadPoolExecutor(min(LOOKS_AT_ONCE, len(places)), "look up")
    try:
        known = _listed(places, stores)
        for begin in range(0, len(places), _BATCH):
            batch = places[begin : begin + _BATCH]
            for one in pool.map(lambda place: _look_up(place, known, stores), batch):
                if isinstance(one, Problem):
                    problems.append(one)
                else:
                    files.append(one)
            if len(problems) >= MAX_PROBLEMS:
                break
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return files, problems[:MAX_PROBLEMS]


def _look_up(
    place: Place, known: dict[Location, StoredObject], stores: Stores
) -> RemoteFile | Problem:
    listed = known.get(place.at)
    if listed is not None and _compare(place.file, listed) is None:
        return RemoteFile(place.file, place.at, listed)
    try:
        found = stores.at(place.at).stat(place.at.key)
    except ObjectMissing:
        return missing(place.file)
    return _compare(place.file, found) or RemoteFile(place.file, place.at, found)


def _compare(file: ManifestFile, found: StoredObject) -> Problem | None:
    return size_differs(file, found.size_bytes) or checksum_differs(file, found.checksum)


def _listed(places: Iterable[Place], stores: Stores) -> dict[Location, StoredObject]:
    """List the buckets that many files lie in, as far as they let themselves be listed."""
    by_bucket: dict[Location, list[str]] = {}
    for place in places:
        by_bucket.setdefault(replace(place.at, key=""), []).append(place.at.key)
    known: dict[Location, StoredObject] = {}
    for bucket, keys in by_bucket.items():
        if len(keys) <= LISTED_FROM or bucket.scheme == "https":
            continue
        most = 2 * len(keys) + 1000
        try:
            found = stores.at(bucket).list(_common_prefix(keys), most=most)
        except StoreDenied:  # whoever may read objects need not be allowed to list them
            continue
        except StoreFailed as error:
            if error.code != "listing_unsupported":
                raise
            continue
        known |= {replace(bucket, key=one.key): one for one in found}
    return known


def _common_prefix(keys: Sequence[str]) -> str:
    first, last = min(keys), max(keys)
    same = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return "".join(one for one, _ in same)


def _listed_twice(places: Iterable[Place]) -> Iterator[Problem]:
    """Find files that a path and a URL both name: their rows would count twice."""
    seen = set[Location]()
    for place in places:
        if place.at in seen:
            message = "it is listed twice: its rows would count twice"
            yield Problem(place.file.path, "", "duplicate_file", message, "list it once")
        seen.add(place.at)
