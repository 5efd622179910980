"""A proxy in front of the real service that alters one thing, as a wrong deployment does."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.http_replies import Reply, ask

Address = tuple[str, int]
_OWN = ("connection", "content-length", "date", "server", "transfer-encoding")


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it came, and where it goes."""

    address: Address
    target: str
    headers: Mapping[str, str]

    def with_header(self, name: str, text: str | None) -> Sent:
        """Return it with one header set, or taken away."""
        kept = {key: value for key, value in self.headers.items() if key.lower() != name.lower()}
        return replace(self, headers=kept if text is None else {**kept, name: text})


Alter = Callable[[Sent], Sent]
Answer = Callable[[Sent, Reply], Reply]


@contextmanager
def front(
    address: Address,
    alter: Alter = lambda sent: sent,
    answer: Answer = lambda _sent, reply: reply,
    tls: ssl.SSLContext | None = None,
) -> Iterator[str]:
    """Pass requests on until the block ends; yield the URL that callers are given."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._pass_on()

        def do_POST(self) -> None:
            self._pass_on()

        def _pass_on(self) -> None:
            sent = alter(Sent(address, self.path, dict(self.headers.items())))
            reply = ask(sent.address, sent.target, sent.headers, self.command)
            reply = answer(sent, reply)
            self.send_response_only(reply.status)
            for name, text in reply.pairs:
                if name.lower() not in _OWN:
                    self.send_header(name, text)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def with_header(reply: Reply, name: str, text: str) -> Reply:
    """Return an answer with one header set."""
    kept = [(key, value) for key, value in reply.pairs if key.lower() != name.lower()]
    return replace(reply, pairs=(*kept, (name, text)))
