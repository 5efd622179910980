"""The example's systemd unit, read as far as its tests need it, and systemd-analyze."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.docs.markdown import ROOT

UNIT = ROOT / "infra" / "systemd" / "offloader.service"
ANALYZE_SECONDS = 30.0
_LINE = re.compile(r"([A-Z]\w*)=(.*)")


def read_unit(path: Path = UNIT) -> dict[str, list[str]]:
    """Return the values of each directive in order; fail on a line that is none."""
    found: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and line[0] not in "#[":
            match = _LINE.fullmatch(line)
            assert match, line
            found.setdefault(match[1], []).append(match[2])
    return found


def unit_environment(unit: Mapping[str, list[str]], places: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a unit, with specifiers and paths replaced by `places`."""
    environ = dict(pair.split("=", 1) for pair in unit["Environment"])
    for name, text in environ.items():
        for shown, here in places.items():
            text = text.replace(shown, here)
        environ[name] = text
    return environ


def why_no_systemd() -> str:
    """Return what to install for systemd-analyze; empty when it is there."""
    return "" if shutil.which("systemd-analyze") else "there is no systemd-analyze: install systemd"


def analyze(*words: str) -> tuple[int, str]:
    """Run systemd-analyze; return its exit code and all that it printed."""
    done = subprocess.run(
        ["systemd-analyze", "--no-pager", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=ANALYZE_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout.decode()


def allowed_calls(unit: Mapping[str, list[str]]) -> set[str]:
    """Return the names of the system calls that a unit's SystemCallFilter= allows.

    `@default` is always among them, as systemd itself adds it.
    """
    _, text = analyze("syscall-filter")
    sets = _call_sets(text)
    allowed = _expand("@default", sets)
    for line in unit["SystemCallFilter"]:
        is_denied = line.startswith("~")
        for name in line.removeprefix("~").split():
            found = _expand(name, sets)
            allowed = allowed - found if is_denied else allowed | found
    return allowed


def _call_sets(text: str) -> dict[str, list[str]]:
    """Return the members of each set as `systemd-analyze syscall-filter` lists them."""
    sets: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        word = line.strip()
        if line.startswith("@"):
            name = word
            sets[name] = []
        elif name and word and not word.startswith("#"):
            sets[name].append(word)
        elif not word:
            name = ""
    return sets


def _expand(name: str, sets: Mapping[str, list[str]]) -> set[str]:
    if not name.startswith("@"):
        return {name}
    return {call for member in sets[name] for call in _expand(member, sets)}
