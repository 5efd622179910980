"""Rules for texts of a project: identifiers, paths, URLs. Each returns a fault, none raises.

A fault is (code, message, hint); None when nothing is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from urllib.parse import urlsplit

from offloader.catalog.problems import described
from offloader.catalog.strict_json import shown
from offloader.catalog.values import is_text

Fault = tuple[str, str, str]

MAX_PATH_LENGTH = 1024
IDENTIFIER_PATTERN = "[a-z][a-z0-9_]{0,62}"
IDENTIFIER = re.compile(IDENTIFIER_PATTERN)
IDENTIFIER_HINT = "use lower-case letters, digits and _, a letter first, at most 63 characters"
SNAPSHOT_ID_PATTERN = "[A-Za-z0-9:_.-]{1,200}"
SNAPSHOT_ID = re.compile(SNAPSHOT_ID_PATTERN)
URL_SCHEMES = ("gs", "s3", "https")

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,63}")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def text_fault(value: object, max_length: int) -> Fault | None:
    """Return what is wrong with a text of 1 to `max_length` characters."""
    if not isinstance(value, str):
        hint = "write a text; quote numbers, true, false and null"
        return "wrong_type", f"expected a text, found {described(value)}", hint
    if not value:
        return "text_empty", "the text is empty", "write a text, or leave the field out"
    if len(value) > max_length:
        message = f"the text has {len(value)} characters, at most {max_length} are allowed"
        return "text_too_long", message, "shorten it"
    if not is_text(value):
        return "text_invalid", "the text holds NUL or half of a surrogate pair", "remove it"
    return None


def path_fault(path: str) -> Fault | None:
    """Return what is wrong with a path that must stay inside the project."""
    if path.startswith("/") or _DRIVE.match(path):
        message = f"{shown(path)} is an absolute path"
        return "path_absolute", message, "write it relative to the project's root"
    if ".." in path.split("/"):
        message = f"{shown(path)} leaves the project"
        return "path_leaves_project", message, "keep the file inside the project, without .."
    if not path.isprintable():
        return "text_invalid", "the path holds control characters", "remove them"
    return None


def location_fault(location: str) -> Fault | None:
    """Return what is wrong with a path inside the project or a gs://, s3:// or https:// URL."""
    scheme = _SCHEME.match(location)
    if not scheme:
        return path_fault(location)
    allowed = ", ".join(f"{name}://" for name in URL_SCHEMES)
    if scheme[1] not in URL_SCHEMES:
        message = f"{scheme[1]}:// is not a supported kind of URL"
        return "url_scheme", message, f"use {allowed}, or a path inside the project"
    if "@" in location[len(scheme[0]) :].split("/")[0]:
        message = "the URL holds a user name or password"
        return "url_credentials", message, "pass credentials through the environment"
    if not _is_whole_url(location):
        message = f"{shown(location)} is not a whole URL"
        return "url_invalid", message, "write scheme://host-or-bucket/path/to/manifest.json"
    return None


def nearest_hint(value: object, allowed: Sequence[str]) -> str:
    """Return a hint that names the nearest of `allowed`, or all of them when none is near."""
    if isinstance(value, str) and len(value) <= 100:
        near = get_close_matches(value, allowed, n=1)
        if near:
            return f"did you mean {near[0]}?"
    return f"known: {', '.join(sorted(allowed)[:30])}" if allowed else "none is known"


def shown_key(key: object) -> str:
    """Return a mapping's key fit for a path: plain as it is, anything else quoted and cut."""
    text = str(key)
    return text if _PLAIN_KEY.fullmatch(text) else shown(text)


def repeats(values: Iterable[str]) -> list[int]:
    """Return the index of each value that stood earlier in `values`; "" is never a repeat."""
    seen: set[str] = set()
    found = []
    for index, value in enumerate(values):
        if value and value in seen:
            found.append(index)
        seen.add(value)
    return found


def _is_whole_url(location: str) -> bool:
    if not location.isprintable() or " " in location:
        return False
    try:
        parts = urlsplit(location)
        return bool(parts.hostname) and parts.port != 0 and len(parts.path) > 1
    except ValueError:
        return False
