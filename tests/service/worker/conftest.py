"""Fixtures of a worker's tests: workers attached to a main in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from offloader.service.main.attach_server import AttachServer
from offloader.service.worker.attachment import Attachment
from tests.service.attaching import Attach, disconnect


@pytest.fixture
def attach(server: AttachServer, let_in: None) -> Iterator[Attach]:
    """Attach workers to a server in this process; disconnect them afterwards."""
    made: list[Attachment] = []

    def attached() -> Attachment:
        made.append(Attachment(server.address, len(made), lambda: None))
        return made[-1]

    yield attached
    for one in made:
        disconnect(one)
