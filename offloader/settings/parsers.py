"""Parse one environment value each: text in, value out, ValueError with what is expected."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

_BYTE_UNITS = {
    "": 1, "B": 1,
    "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40,
}  # fmt: skip
_BYTES = re.compile(r"([0-9]{1,15})([A-Za-z]{0,3})")
_DIGITS = re.compile(r"[0-9]{1,15}")
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")
_HOST = re.compile(r"[A-Za-z0-9.:_%-]{1,255}")
_TOKEN = re.compile(r"[!-~]{1,8192}")
_REGION = re.compile(r"[a-z0-9-]{1,64}")
_MAX_ORIGINS = 100
_MAX_HOSTS = 100


def whole(low: int, high: int) -> Callable[[str], int]:
    """Return a parser of whole numbers from `low` to `high`."""

    def parse(text: str) -> int:
        if not _DIGITS.fullmatch(text) or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return parse


def port(text: str) -> int:
    """Parse a port, 0 to 65535; 0 lets the kernel choose one."""
    if text.startswith("tcp://"):
        # Kubernetes sets <SERVICE>_PORT in every pod beside a service called offloader-api.
        raise ValueError(
            "a port from 0 to 65535, not a Kubernetes service link: "
            "set enableServiceLinks: false on the pod, or rename the service"
        )
    if not _DIGITS.fullmatch(text) or int(text) > 65_535:
        raise ValueError("a port from 0 to 65535 (0 lets the system choose)")
    return int(text)


def seconds(low: float, high: float, *, or_zero: bool = False) -> Callable[[str], float]:
    """Return a parser of seconds from `low` to `high`; `or_zero` also takes 0, for off."""

    def parse(text: str) -> float:
        value = float(text) if _SECONDS.fullmatch(text) else math.nan
        if low <= value <= high or (or_zero and value == 0):
            return value
        off = ", or 0 for off" if or_zero else ""
        raise ValueError(f"seconds from {low:g} to {high:.15g}{off}")

    return parse


def size(low: int) -> Callable[[str], int]:
    """Return a parser of byte sizes of at least `low`: 1048576, 512MiB, 2GB."""

    def parse(text: str) -> int:
        match = _BYTES.fullmatch(text)
        unit = _BYTE_UNITS.get(match[2].upper()) if match else None
        if match is None or unit is None or not low <= int(match[1]) * unit < 2**63:
            raise ValueError(f"a size of at least {low} bytes, such as 512MiB, 2GB or 1048576")
        return int(match[1]) * unit

    return parse


def choice(*allowed: str) -> Callable[[str], str]:
    """Return a parser that takes one of `allowed`."""

    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"one of {', '.join(allowed)}")
        return text

    return parse


def switch(text: str) -> bool:
    """Parse `on` or `off`."""
    return choice("on", "off")(text) == "on"


def text(value: str) -> str:
    """Take any text without control characters, up to 4096 characters."""
    if len(value) > 4096 or not value.isprintable():
        raise ValueError("a text of at most 4096 printable characters")
    return value


def path(value: str) -> Path:
    """Parse a path."""
    return Path(text(value))


def host(value: str) -> str:
    """Parse an IPv4 or IPv6 address without brackets, or a host name."""
    if not _HOST.fullmatch(value):
        raise ValueError("an address or host name, such as 0.0.0.0, :: or localhost")
    return value


def token(value: str) -> str:
    """Parse a secret that travels in headers: printable ASCII without spaces."""
    if not _TOKEN.fullmatch(value):
        raise ValueError("1 to 8192 printable ASCII characters without spaces")
    return value


def region(value: str) -> str:
    """Parse a region's name."""
    if not _REGION.fullmatch(value):
        raise ValueError("a region such as eu-central-1")
    return value


def endpoint_url(value: str) -> str:
    """Parse an http or https URL of a storage service."""
    if not _is_origin(value.rstrip("/")):
        raise ValueError("a URL such as https://storage.example.com")
    return value.rstrip("/")


def emulator(value: str) -> str:
    """Parse a storage emulator's address, with or without http://, into a URL."""
    url = (value if "://" in value else f"http://{value}").rstrip("/")
    if not _is_origin(url):
        raise ValueError("an address such as localhost:9023 or http://localhost:9023")
    return url


def shared_folder(value: str) -> str:
    """Parse gs://bucket[/prefix], s3://bucket[/prefix] or an absolute folder.

    A trailing slash is dropped.
    """
    scheme, _, rest = value.rpartition("://")
    root = rest.rstrip("/") if scheme == "" else rest.split("/")[0]
    is_known = scheme in ("gs", "s3") or (scheme == "" and rest.startswith("/"))
    is_safe = value.isprintable() and " " not in value and ".." not in rest.split("/")
    if not is_known or not root or "@" in root or not is_safe:
        expected = "gs://bucket/prefix, s3://bucket/prefix or an absolute folder"
        raise ValueError(f"a place such as {expected}")
    return value.rstrip("/")


def origins(value: str) -> tuple[str, ...]:
    """Parse `*` or a comma-separated list of origins, such as https://app.example.com."""
    if value == "*":
        return ("*",)
    found = tuple(dict.fromkeys(item.strip() for item in value.split(",", _MAX_ORIGINS)))
    if len(found) > _MAX_ORIGINS or not all(_is_origin(item) for item in found):
        raise ValueError("* or a comma-separated list of origins such as https://app.example.com")
    return found


def hosts(value: str) -> tuple[str, ...]:
    """Parse a comma-separated list of host names or addresses, each with a port or without."""
    found = tuple(dict.fromkeys(item.strip().lower() for item in value.split(",", _MAX_HOSTS)))
    if len(found) > _MAX_HOSTS or not all(_is_origin(f"https://{item}") for item in found):
        raise ValueError("a comma-separated list of hosts such as data.internal or 10.0.0.7:8443")
    return found


def _is_origin(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    is_bare = url == f"{parts.scheme}://{parts.netloc}" and "@" not in parts.netloc
    is_plain = url.isascii() and url.isprintable() and not set(url) & set(" *,\"'\\")
    return parts.scheme in ("http", "https") and bool(parts.hostname) and is_bare and is_plain
