"""A collector of traces on loopback: it speaks OTLP over HTTP and keeps the spans it was sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(slots=True)
class Collector:
    """What came so far: the spans, the resources' attributes, and the bytes as they were sent."""

    url: str
    spans: list[Span] = field(default_factory=list)
    resources: list[dict[str, str]] = field(default_factory=list)
    received: list[bytes] = field(default_factory=list)

    def named(self, name: str) -> list[Span]:
        """Return the spans of one name so far."""
        return [span for span in self.spans if span.name == name]


def attributes(found: Any) -> dict[str, Any]:
    """Return the attributes of a span or a resource as a plain mapping."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in found.attributes}


@contextmanager
def collector() -> Iterator[Collector]:
    """Collect until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = ExportTraceServiceRequest.FromString(body)
            found.received.append(body)
            for one in request.resource_spans:
                found.resources.append(attributes(one.resource))
                found.spans += [span for scope in one.scope_spans for span in scope.spans]
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Collector(f"http://127.0.0.1:{server.server_address[1]}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
