"""Where an object lies, as text and as a value: a file, or gs://, s3:// or https://."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from offloader.errors import ConfigError, Problem

Scheme = Literal["file", "gs", "s3", "https"]
MAX_URL_CHARACTERS = 4096
REMOTE_SCHEMES = ("gs", "s3", "https")
_URL = re.compile(r"(gs|s3|https)://([^/?#@\s]+)(?:/(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a store: `root` is a bucket, host[:port] or absolute folder, `key` lies in it.

    The key of a bucket's or host's own root is empty. An https key keeps its query, which may be
    a secret: `shown` is without.
    """

    scheme: Scheme
    root: str
    key: str

    def __str__(self) -> str:
        if self.scheme == "file":
            return str(Path(self.root) / self.key)
        return (
            f"{self.scheme}://{self.root}/{self.key}"
            if self.key
            else f"{self.scheme}://{self.root}"
        )

    @property
    def shown(self) -> str:
        """The location as errors and logs may tell it."""
        return (
            str(replace(self, key=self.key.partition("?")[0]))
            if self.scheme == "https"
            else str(self)
        )

    @property
    def name(self) -> str:
        """The last part of the key, without a query."""
        return (
            posixpath.basename(self.key.partition("?")[0])
            if self.scheme == "https"
            else posixpath.basename(self.key)
        )

    @property
    def is_remote(self) -> bool:
        """Whether a network lies between."""
        return self.scheme != "file"

    def below(self, path: str) -> Location:
        """Return a place inside this one, which is a folder or a prefix."""
        folder = self.key.rstrip("/")
        return replace(self, key=f"{folder}/{path}" if folder else path)

    def beside(self, path: str) -> Location:
        """Return the place a path names that stands in the file that lies here, or its URL.

        `./a` and `a` are one place, also in stores whose keys know no folders.
        """
        if "://" in path:
            return parse_url(path)
        key = self.key.partition("?")[0] if self.scheme == "https" else self.key
        return replace(self, key=posixpath.join(posixpath.dirname(key), posixpath.normpath(path)))


def parse_url(text: str) -> Location:
    """Return the location of a gs://, s3:// or https:// URL; raises ConfigError `url_invalid`.

    After the bucket a gs:// or s3:// URL is the key as it is, `%`, `?` and `#` too. That of an
    https URL stays encoded, and loses its fragment; hosts are in lower case.
    """
    match = _URL.fullmatch(text) if len(text) <= MAX_URL_CHARACTERS else None
    if match is None or not text.isprintable() or not _has_host(match[1], match[2]):
        hint = "write gs://bucket/path, s3://bucket/path or https://host/path, without a login"
        raise ConfigError([Problem("", "", "url_invalid", "this is not such a URL", hint)])
    scheme: Scheme = match[1]  # type: ignore[assignment]
    key = match[3] or ""
    if scheme == "https":
        return Location(scheme, match[2].lower(), key.partition("#")[0])
    return Location(scheme, match[2], key)


def _has_host(scheme: str, root: str) -> bool:
    try:
        parts = urlsplit(f"{scheme}://{root}")
        return bool(parts.hostname) and (parts.port != 0 if scheme == "https" else ":" not in root)
    except ValueError:
        return False
