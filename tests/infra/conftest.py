"""What the tests of this folder share: a watched service, tools, an engine, a running stack."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest

from tests.container.engine import Engine
from tests.infra.compose_stack import Stack, stacked, why_no_compose
from tests.infra.tools import need_prometheus
from tests.infra.watched import Watched, watched


@pytest.fixture(scope="session")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with watched(tmp_path_factory.mktemp("watched")) as made:
        yield made


@pytest.fixture
def tools() -> None:
    """Skip the test where Prometheus is not installed."""
    need_prometheus()


@pytest.fixture
def kubectl() -> str:
    """The program kubectl, of which nothing but its kustomize is used; no cluster is asked."""
    found = shutil.which("kubectl")
    if found is None:
        pytest.skip("there is no kubectl here: install it to compare what kustomize makes")
    return found


@pytest.fixture(scope="session")
def engine(need: Callable[[str], None]) -> Engine:
    """Docker with Compose; without them the tests that run the examples are skipped."""
    need(why_no_compose())
    return Engine("docker")


@pytest.fixture(scope="session")
def stack(engine: Engine, image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The compose example, up; each test publishes snapshots of its own."""
    with stacked(engine, image, tmp_path_factory.mktemp("stack")) as made:
        yield made
