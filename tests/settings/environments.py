"""Environments for tests: on a machine of 4 CPUs and 10 GiB, `OFFLOADER_` left out of names."""

from __future__ import annotations

import pytest

from offloader.errors import ConfigError, Problem
from offloader.settings.codes import SETTINGS_CODES
from offloader.settings.settings import VARIABLES, Settings, read_settings

GIB = 2**30
NAMES = [variable.name for variable in VARIABLES]
SECRETS = [variable.name for variable in VARIABLES if variable.is_secret]


def read(**environ: str) -> Settings:
    """Return the settings of an environment, `OFFLOADER_` left out of the names."""
    return read_both(**environ)[0]


def read_both(**environ: str) -> tuple[Settings, tuple[Problem, ...]]:
    """Return settings and warnings on a machine of 4 CPUs and 10 GiB."""
    named = {f"OFFLOADER_{name}": value for name, value in {"CONFIG": "/p", **environ}.items()}
    return read_settings(named, is_terminal=False, cpus=4, memory_bytes=10 * GIB)


def refused(**environ: str) -> list[tuple[str, str]]:
    """Return name (`OFFLOADER_` left out) and code of every problem."""
    with pytest.raises(ConfigError) as refusal:
        read_both(**environ)
    assert {problem.file for problem in refusal.value.problems} == {"environment"}
    assert all(problem.message and problem.hint for problem in refusal.value.problems)
    assert {problem.code for problem in refusal.value.problems} <= SETTINGS_CODES.keys()
    return [(p.path.removeprefix("OFFLOADER_"), p.code) for p in refusal.value.problems]


def warned(**environ: str) -> list[tuple[str, str]]:
    """Return name (`OFFLOADER_` left out) and code of every warning."""
    return [(w.path.removeprefix("OFFLOADER_"), w.code) for w in read_both(**environ)[1]]
