"""What all tests share: signals and logging as they are for a user, and how one is skipped."""

from __future__ import annotations

import logging
import signal
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings

from offloader.service import log
from offloader.service.log_output import LineOutput
from offloader.shared.attach import allow_many_descriptors
from tests.container.engine import IMAGE, NO_ENGINE, Engine, find_engine
from tests.docs.markdown import ROOT

# How long an example takes is the machine's affair: it may be busy.
settings.register_profile(
    "any_machine",
    parent=settings.default,  # Hypothesis has another one for CI
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("any_machine")


def pytest_configure() -> None:
    """Take Ctrl-C again: a shell ignores it in the background, and children would inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    allow_many_descriptors()  # as `offloader serve` does: tests hold segments, too


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Leave no level and no output behind that a command configured in this process."""
    level, root = log.LOGGER.level, logging.getLogger()
    yield
    log.LOGGER.setLevel(level)
    root.handlers[:] = [one for one in root.handlers if not isinstance(one, LineOutput)]


@pytest.fixture(scope="session")
def need() -> Callable[[str], None]:
    """Return what skips the test, or all that use a fixture, for a reason that is not empty."""

    def skip(reason: str) -> None:
        if reason:
            pytest.skip(reason)

    return skip


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The container engine of this machine; without one what uses it is skipped."""
    found = find_engine()
    if found is None:
        pytest.skip(NO_ENGINE)
    return found


@pytest.fixture(scope="session")
def image(engine: Engine) -> str:
    """The tag of the image, built from the working tree."""
    engine.build(ROOT, IMAGE)
    return IMAGE


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print each reason once, with the number of tests: the short summary hides them."""
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", ())
        if isinstance(report.longrepr, tuple)
    )
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count} skipped: {reason}")
