"""One web server for all tests of https://, with other files for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from offloader.stores.https import HttpsStore
from tests.stores.https.file_server import CONTENT, FileServer, file_server, opened


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FileServer, Path]]:
    with file_server(tmp_path_factory.mktemp("tls")) as made:
        yield made


@pytest.fixture
def server(running: tuple[FileServer, Path], monkeypatch: pytest.MonkeyPatch) -> FileServer:
    """Return a server of one file, trusted as one's own CA is: by SSL_CERT_FILE."""
    server, trusted = running
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    server.files, server.answers, server.asked = {"file": CONTENT}, {}, []
    return server


@pytest.fixture
def store(server: FileServer) -> HttpsStore:
    """Return a store that may lie at a private address."""
    return opened(server, "localhost")
