"""Fixtures of main's tests: part files with a store over them, and three datasets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from offloader.service.cache import Cache
from offloader.service.main.part_store import PartStore
from tests.service.admitting import Three
from tests.service.loaded import loaded

LIMIT_BYTES = 1 << 30


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cache, list[Path]]:
    """A cache of 200 rows: its columns part and its one path part, there are row texts, too."""
    made = loaded(tmp_path_factory.mktemp("parts"))
    entry = made.publish("alpha", "s0001", 200)
    paths = made.paths("alpha", entry)
    assert len(paths) == 3
    return made.cache, paths[:2]


@pytest.fixture
def store(files: tuple[Cache, list[Path]]) -> Iterator[PartStore]:
    """An empty store over that cache."""
    made = PartStore(files[0], LIMIT_BYTES)
    yield made
    made.keep_only([])


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Three:
    """Three datasets, each about four times as large as the one before."""
    rows = {"alpha": 100, "beta": 400, "gamma": 1600}
    made = loaded(tmp_path_factory.mktemp("three"), list(rows))
    return made, {name: made.publish(name, "s0", count) for name, count in rows.items()}
