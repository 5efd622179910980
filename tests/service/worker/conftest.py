"""Fixtures of a worker's tests: workers attached to a main in this process."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest

from offloader.service.main.attach_server import AttachServer
from offloader.service.worker.attachment import Attachment
from tests.service.attaching import Attach, disconnect
from tests.shared.descriptors import eventually


@pytest.fixture
def attach(server: AttachServer, let_in: None) -> Iterator[Attach]:
    """Attach workers to a server in this process; disconnect them afterwards.

    No thread of theirs is left then, and before it nothing is mapped that only waits to be
    collected: what this process maps and has open is counted.
    """
    gc.collect()
    before = set(threading.enumerate())
    made: list[Attachment] = []

    def attached() -> Attachment:
        made.append(Attachment(server.address, len(made), lambda: None))
        return made[-1]

    yield attached
    for one in made:
        disconnect(one)
    eventually(lambda: before.issuperset(threading.enumerate()))
