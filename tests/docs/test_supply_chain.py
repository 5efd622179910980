"""What an image and a development environment are made of is pinned, to the byte."""

from __future__ import annotations

import re

import pytest

from tests.docs.markdown import ROOT

LOCKS = ("requirements.lock", "requirements-dev.lock")
_PACKAGE = re.compile(
    r"^([a-z0-9][a-z0-9._-]*)==[^ ;\\]+(?: ;[^\\]+)?((?: \\\n +--hash=sha256:[0-9a-f]{64})+)$", re.M
)
_NAMED = re.compile(r"^[a-zA-Z0-9]", re.M)
_INSTALLS = re.compile(r"\bpip\b[^&;\n]*? install [^\n]*", re.I)


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_is_pinned_by_hash(name: str) -> None:
    """Each line of a lock file is one version with the hashes of its files, and nothing else."""
    found = _PACKAGE.findall(_text(name))
    assert len(found) > 15
    assert len(_NAMED.findall(_text(name))) == len(found)


@pytest.mark.parametrize("name", ["Dockerfile", "Makefile"])
def test_only_what_is_pinned_is_installed(name: str) -> None:
    """A package comes from a lock file with its hash, or it is this one, without dependencies."""
    text = "\n".join(line for line in _text(name).splitlines() if not line.lstrip().startswith("#"))
    found = _INSTALLS.findall(text.replace("\\\n", " "))
    assert len(found) > 1
    for command in found:
        is_pinned = "--require-hashes" in command and "requirements" in command
        assert is_pinned or "--no-deps" in command or _is_for_developers(command), command


def _is_for_developers(command: str) -> bool:
    """Tell whether it is the peers of the benchmarks, or the tool that makes the lock files."""
    return "'.[bench]'" in command or "pip-tools" in command
