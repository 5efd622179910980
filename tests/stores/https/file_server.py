"""A web server with files and real TLS on loopback, whose answers a test can replace by others."""

from __future__ import annotations

import hashlib
import re
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import trustme

from offloader.stores.access import Access
from offloader.stores.https import HttpsStore

_RANGE = re.compile(r"bytes=(\d+)-(\d+)")
FIRST_SECONDS = 1_780_000_000
NAMES = ("localhost", "data.example", "127.0.0.1")
CONTENT = bytes(number % 251 for number in range(5000))


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: FileServer
    timeout = 10
    disable_nagle_algorithm = True

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def send(self, status: int, headers: Mapping[str, object], body: bytes = b"") -> None:
        """Send an answer; its length is that of the body unless the headers say another."""
        self.send_response(status)
        for name, value in ({"content-length": len(body)} | dict(headers)).items():
            if value is not None:
                self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_file(self, content: bytes, more: Mapping[str, str | None] | None = None) -> None:
        """Send a file as a careful server does; `more` are headers, None leaves one out."""
        tag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
        modified = formatdate(FIRST_SECONDS + self.server.changes, usegmt=True)
        headers = {"etag": tag, "last-modified": modified, **(more or {})}
        since = self.headers.get("if-unmodified-since", modified)
        if self.headers.get("if-match", tag) != tag or since != modified:
            return self.send(412, {})
        match = _RANGE.fullmatch(self.headers.get("range", ""))
        if match is None or self.command == "HEAD":
            return self.send(200, headers, content)
        start, end = int(match[1]), min(int(match[2]) + 1, len(content))
        if start >= len(content):
            return self.send(416, {"content-range": f"bytes */{len(content)}", **headers})
        said = f"bytes {start}-{end - 1}/{len(content)}"
        return self.send(206, {"content-range": said, **headers}, content[start:end])

    def log_message(self, *_: Any) -> None:
        """Stay silent."""

    def _answer(self) -> None:
        self.server.asked.append((self.command, self.path, dict(self.headers)))
        path = unquote(self.path.partition("?")[0].removeprefix("/"))
        if path in self.server.answers:
            self.server.answers[path](self)
        elif path in self.server.files:
            self.send_file(self.server.files[path])
        else:
            self.send(404, {})


Answer = Callable[[Handler], object]


class FileServer(ThreadingHTTPServer):
    """Files by path, answers by path that take their place, and what was asked so far."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, tls: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.connections = 0
        self.changes = 0
        self._tls = tls

    @property
    def port(self) -> int:
        """The port the kernel picked."""
        port: int = self.server_address[1]
        return port

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands in the connection's own thread, then serve it."""
        try:
            with self._tls.wrap_socket(request, server_side=True) as wrapped:
                self.connections += 1
                super().finish_request(wrapped, client_address)
        except OSError:
            return  # the other side went away, or trusts this one not


@contextmanager
def file_server(folder: Path) -> Iterator[tuple[FileServer, Path]]:
    """Serve with a certificate for NAMES; give also the file of the CA to be trusted."""
    authority = trustme.CA()
    trusted = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(trusted))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*NAMES).configure_cert(tls)
    server = FileServer(tls)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server, trusted
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def opened(server: FileServer, *allowed: str) -> HttpsStore:
    """Open the store of a server, by the name of localhost."""
    return HttpsStore.open(f"localhost:{server.port}", Access(https_hosts=allowed))
