"""The trace of one request: what its log lines name, and its span when traces are on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sanic import Request as HttpRequest

from offloader.service.tracing import open_tracing
from offloader.service.worker.answer import Response
from offloader.service.worker.generation import Generation
from offloader.web.trace_context import traceparent_of

if TYPE_CHECKING:  # it imports OpenTelemetry
    from opentelemetry.trace import Span

    from offloader.web.trace_spans import RequestSpans


@dataclass(slots=True, eq=False)
class Trace:
    """A request's trace; `traceparent` is that of its span, without one what the caller sent."""

    traceparent: str | None
    spans: RequestSpans | None = None
    span: Span | None = None

    def end(self, generation: Generation | None, answer: Response) -> None:
        """End the span, if there is one."""
        if self.spans is not None and self.span is not None:
            self.spans.end(self.span, generation, answer)


def begin_trace(spans: RequestSpans | None, request: HttpRequest, endpoint: str) -> Trace:
    """Begin the trace of a request; `endpoint` is a name that there is, or `-`."""
    if spans is None:
        return Trace(traceparent_of(request))
    span = spans.begin(request, endpoint)
    return Trace(spans.traceparent(span), spans, span)


def request_spans(traces: str) -> RequestSpans | None:
    """Return what makes the spans of this process's requests; None when traces are off."""
    tracing = open_tracing(traces)
    if tracing is None:
        return None
    from offloader.web.trace_spans import RequestSpans

    return RequestSpans(tracing)
