"""The versions of what runs here: Python, Offloader and the packages it needs."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, requires, version

from offloader import __version__
from offloader.service.doctor.finding import Check, Finding

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_CHECK = Check("us", "packages")


def installed(
    requirements: Iterable[str] | None = None, find: Callable[[str], str] = version
) -> dict[str, str]:
    """Return the version of each package that is needed, by name; empty when it is missing.

    `requirements` are those of this package as it is installed, when they are not given.
    """
    wanted = requires("offloader") if requirements is None else requirements
    names = [_NAME.match(one) for one in wanted or () if "extra ==" not in one]
    found = {}
    for name in sorted(match[0] for match in names if match):
        try:
            found[name] = find(name)
        except PackageNotFoundError:
            found[name] = ""
    return found


def check_packages(found: Mapping[str, str]) -> list[Finding]:
    """Return what is there, and a failure for each package that is not. Pure."""
    missing = [name for name, number in found.items() if not number]
    if missing:
        hint = "use the image, or install the package with all it needs: pip install offloader"
        return [
            _CHECK.fail("package_missing", f"the package {name} is not installed", hint)
            for name in missing
        ]
    others = ", ".join(f"{name} {number}" for name, number in found.items())
    return [_CHECK.ok(f"offloader {__version__}, Python {platform.python_version()}, {others}")]
