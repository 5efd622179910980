"""nginx of this machine; without it a test says so and is skipped."""

from __future__ import annotations

import pytest

from dev.rollout.front import program

NO_NGINX = "there is no nginx here: install nginx"


@pytest.fixture
def nginx() -> str:
    """Return the program; skip the test where it is not installed."""
    found = program()
    if found is None:
        pytest.skip(NO_NGINX)
    return found
