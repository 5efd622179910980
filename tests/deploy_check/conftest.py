"""The service that the gate is tried on, and what the gate itself needs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest

from tests.deploy_check.site import Site, site


@pytest.fixture(scope="session", autouse=True)
def curl(need: Callable[[str], None]) -> None:
    """Skip all of it where the gate cannot run."""
    need("" if shutil.which("curl") else "there is no curl here: install it to try the gate")


@pytest.fixture(scope="session")
def shellcheck(need: Callable[[str], None]) -> str:
    """The program shellcheck."""
    need("" if shutil.which("shellcheck") else "there is no shellcheck here: install it")
    return "shellcheck"


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("deploy_check")) as made:
        yield made
