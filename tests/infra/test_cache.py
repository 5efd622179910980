"""Quarantine and rebuild, step by step as their page says: while it serves, and while stopped."""

from __future__ import annotations

import http.client
from contextlib import suppress

import pytest

from tests.docs.runbook import Incident
from tests.infra.compose_stack import PATIENCE_SECONDS, Stack
from tests.service_process import wait_until

ANSWERS = 50


@pytest.fixture
def page(stack: Stack) -> Incident:
    """The page, past what names container and dataset."""
    found = stack.follow("cache", DATASET="usage")
    found.folder = stack.folder / "cache"
    found.leave_out("export CONTAINER=")
    return found


def test_while_it_serves_no_request_fails(stack: Stack, page: Incident) -> None:
    """The previous snapshot takes the place, is built anew, and the mark is lifted again."""
    before = stack.served()
    with stack.callers() as asking:
        bad = stack.publish()
        assert before in page.do("docker exec")
        page.do("docker exec")  # quarantine
        assert stack.served() == before
        wait_until(
            lambda: asking.answered(before) >= ANSWERS,
            PATIENCE_SECONDS,
            lambda: asking.outcomes[-3:],
        )
        assert marks(stack) == [bad]
        page.do("docker exec")  # rebuild
        assert stack.served() == before
        page.do("docker exec")  # refresh --accept
        assert (stack.served(), marks(stack)) == (bad, [])
        wait_until(
            lambda: asking.answered(bad) >= ANSWERS, PATIENCE_SECONDS, lambda: asking.outcomes[-3:]
        )
    assert (asking.failed(), asking.refused()) == ([], [])


def test_while_it_is_stopped(stack: Stack, page: Incident) -> None:
    """On the volume: verified, a snapshot put away, all that was built removed, built again."""
    before, bad = stack.served(), stack.publish()
    while page.runbook.commands[page.done].startswith("docker exec"):
        page.done += 1
    container = stack.container
    container.lines_before = len(container.lines())
    assert "usage" in page.do("docker stop ")
    assert f"{bad} is not served again" in page.do("./on-volume.sh quarantine")
    assert "put away" in page.do("./on-volume.sh quarantine")
    assert "files removed" in page.do("./on-volume.sh clear")
    page.do("docker start ")
    container.wait(lambda: is_live(stack), PATIENCE_SECONDS)
    assert marks(stack) == [bad]
    good = stack.publish()
    assert before < bad < good
    container.wait(container.is_ready, PATIENCE_SECONDS)
    assert stack.served() == good


def is_live(stack: Stack) -> bool:
    """Tell whether the admin port answers; nothing may be served yet."""
    with suppress(OSError, http.client.HTTPException):
        return stack.container.ask_admin("/live").status == 200
    return False


def marks(stack: Stack) -> list[str]:
    """Return the ids of the snapshots that were put away."""
    told = stack.container.diagnostics()["datasets"]["usage"]["quarantined_snapshots"]
    return [mark["snapshot_id"] for mark in told]
