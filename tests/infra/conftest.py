"""What the tests of this folder share: one watched service, and why they were skipped."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.infra.tools import need_prometheus, why_skipped
from tests.infra.watched import Watched, watched

_has_skipped = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with watched(tmp_path_factory.mktemp("watched")) as made:
        yield made


@pytest.fixture
def tools(request: pytest.FixtureRequest) -> None:
    """Skip the test where Prometheus is not installed."""
    request.config.stash[_has_skipped] = bool(why_skipped())
    need_prometheus()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say why tests of this folder were skipped: the short summary hides it."""
    if config.stash.get(_has_skipped, False):
        terminalreporter.write_line(f"tests/infra skipped in part: {why_skipped()}")
