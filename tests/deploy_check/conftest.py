"""The service that the gate is tried on, and the image, each made once for all tests here."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest

from tests.container.engine import IMAGE, NO_ENGINE, Engine, find_engine
from tests.deploy_check.site import Site, site
from tests.docs.markdown import ROOT


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


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The engine of this machine; without one the tests of the image are skipped."""
    found = find_engine()
    if found is None:
        pytest.skip(NO_ENGINE)
    return found


@pytest.fixture(scope="session")
def image(engine: Engine) -> str:
    """The tag of the image, built from the working tree."""
    engine.build(ROOT, IMAGE)
    return IMAGE
