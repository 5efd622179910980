"""One span for each request of an endpoint, when traces are on; its parent is the caller's.

Names and attributes are those of OpenTelemetry's HTTP server spans. A span says which endpoint was
asked and what came of it, not with which parameters or key.
"""

from __future__ import annotations

from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)
from sanic import Request as HttpRequest

from offloader.service.tracing import Tracing
from offloader.service.worker.answer import Response
from offloader.service.worker.generation import Generation
from offloader.web.request_head import ROUTE
from offloader.web.trace_context import read_traceparent, traceparent_of

# For a name that is only what a caller sent.
_ANY_NAME = "{name}"
_METHODS = frozenset({"GET", "HEAD"})


class RequestSpans:
    """Makes the spans of one worker's requests."""

    def __init__(self, tracing: Tracing) -> None:
        self._tracing = tracing

    def begin(self, request: HttpRequest, endpoint: str) -> Span:
        """Begin the span of a request; `endpoint` is a name that there is, or `-`."""
        route = ROUTE + (_ANY_NAME if endpoint == "-" else endpoint)
        method = request.method if request.method in _METHODS else "_OTHER"
        return self._tracing.tracer.start_span(
            f"{method} {route}",
            _parent(request),
            SpanKind.SERVER,
            {
                "http.request.method": method,
                "http.route": route,
                "network.protocol.version": request.version,
                "url.scheme": "http",
            },
        )

    def end(self, span: Span, generation: Generation | None, answer: Response) -> None:
        """End a span with what came of the request; only a 5xx is an error of ours."""
        span.set_attribute("http.response.status_code", answer.status)
        span.set_attribute("http.response.body.size", answer.size_bytes)
        span.set_attribute("offloader.rows", answer.rows_scanned)
        if generation is not None:
            span.set_attribute("offloader.generation", generation.number)
        if answer.cache:
            span.set_attribute("offloader.cache", answer.cache)
        if answer.status >= 500:
            span.set_attribute("error.type", answer.code)
            span.set_status(StatusCode.ERROR)
        span.end()

    def traceparent(self, span: Span) -> str:
        """Return the `traceparent` of what happens within a span."""
        context = span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def close(self) -> None:
        """Send what waits to be sent."""
        self._tracing.close()


def _parent(request: HttpRequest) -> Context:
    """Return the caller's span, or an empty context: also when something else left one here."""
    found = read_traceparent(traceparent_of(request))
    if found is None:
        return Context()
    context = SpanContext(
        int(found.trace_id, 16),
        int(found.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(int(found.flags, 16)),
        trace_state=TraceState.from_header(list(request.headers.getall("tracestate", ()))),
    )
    return set_span_in_context(NonRecordingSpan(context), Context())
