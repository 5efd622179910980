"""Where a project in a bucket lies, and what it takes to read it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from offloader.catalog.project import PROJECT_FILE
from offloader.errors import ConfigError, Problem
from offloader.stores.location import Location, parse_url
from offloader.stores.store import StoreDenied

_PERMISSIONS = {
    "gs": "the service's account needs storage.objects.list and storage.objects.get on"
    " the bucket gs://{root}, such as by roles/storage.objectViewer; OFFLOADER_GCS_AUTH says how"
    " it signs in",
    "s3": "the service's identity needs s3:ListBucket on the bucket {root} and s3:GetObject on"
    " what lies in it; OFFLOADER_S3_AUTH, OFFLOADER_S3_KEY_ID and OFFLOADER_S3_ENDPOINT say how"
    " and where it signs in",
}


def config_place(text: str) -> Location | None:
    """Return the prefix that a project's gs:// or s3:// URL names, None for a folder.

    The URL may be that of its offloader.yml; slashes at the end do not count. Raises ConfigError:
    `location_unsupported`, `url_invalid`.
    """
    if "://" not in text:
        return None
    if not text.startswith(("gs://", "s3://")):
        hint = "name a folder, a gs:// or an s3:// prefix"
        raise _refused("location_unsupported", "a project is not read from such a URL", hint)
    try:
        found = parse_url(text)
    except ConfigError as error:
        first = error.problems[0]
        hint = "write gs://bucket/prefix or s3://bucket/prefix"
        raise _refused(first.code, first.message, hint) from error
    folder, _, name = found.key.rpartition("/")
    key = folder if name == PROJECT_FILE else found.key
    return replace(found, key=key.rstrip("/"))


def prefix_of(place: Location) -> str:
    """Return what the keys of a project's objects begin with: empty for a whole bucket."""
    return f"{place.key}/" if place.key else ""


@contextmanager
def permissions_named(place: Location) -> Iterator[None]:
    """Have a store that denies something say which permissions a project takes."""
    try:
        yield
    except StoreDenied as error:
        if error.code not in ("store_denied", "credentials_missing"):
            raise
        wanted = _PERMISSIONS.get(place.scheme, "").format(root=place.root)
        raise StoreDenied(error.code, error.message, f"{error.hint}; {wanted}") from error


def _refused(code: str, message: str, hint: str) -> ConfigError:
    return ConfigError([Problem("environment", "OFFLOADER_CONFIG", code, message, hint)])
