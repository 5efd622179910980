"""Containers of the image, for the tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

import pytest

from tests.container.contained import Contained, contained
from tests.container.engine import Engine

Start = Callable[..., AbstractContextManager[Contained]]


@pytest.fixture
def kill_count() -> int:
    """How often a container is killed at random; CONTAINER_KILLS=100 for a long run."""
    return int(os.environ.get("CONTAINER_KILLS", "3"))


@pytest.fixture
def start(engine: Engine, image: str) -> Start:
    """A context manager that starts a container of the image and removes it at the end."""
    return partial(contained, engine, image)
