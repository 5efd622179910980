"""The engine and the image, found and built once for all tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

import pytest

from tests.container.contained import Contained, contained
from tests.container.engine import IMAGE, NO_ENGINE, Engine, find_engine
from tests.docs.markdown import ROOT

Start = Callable[..., AbstractContextManager[Contained]]


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The engine of this machine; without one every test of this folder is skipped."""
    found = find_engine()
    if found is None:
        pytest.skip(NO_ENGINE)
    return found


@pytest.fixture(scope="session")
def image(engine: Engine) -> str:
    """The tag of the image, built from the working tree."""
    engine.build(ROOT, IMAGE)
    return IMAGE


@pytest.fixture
def kill_count() -> int:
    """How often a container is killed at random; CONTAINER_KILLS=100 for a long run."""
    return int(os.environ.get("CONTAINER_KILLS", "3"))


@pytest.fixture
def start(engine: Engine, image: str) -> Start:
    """A context manager that starts a container of the image and removes it at the end."""
    return partial(contained, engine, image)
