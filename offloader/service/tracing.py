"""Traces by OpenTelemetry (`OFFLOADER_TRACES`): off, nothing of it is imported.

Where spans go is for the SDK's own variables to say (`OTEL_EXPORTER_OTLP_ENDPOINT` and others), by
OTLP over HTTP. Spans hold no more than log lines do: no parameter, no tenant, no text of an error.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib.util import find_spec
from threading import Thread
from typing import TYPE_CHECKING

from offloader import __version__
from offloader.errors import StartError

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

_NEEDED = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http")
_SERVICE = "offloader"
# What is not sent by then is lost: a stop must not wait for a collector.
_CLOSE_SECONDS = 1.5


class Tracing:
    """One process's spans, sent in the background by a thread of the SDK."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self.tracer: Tracer = provider.get_tracer(_SERVICE, __version__)

    def note(
        self,
        name: str,
        seconds: float,
        attributes: Mapping[str, str | int | float],
        *,
        is_error: bool = False,
    ) -> None:
        """Make a span of something that ended just now and took so many seconds."""
        from opentelemetry.trace import StatusCode

        ended_ns = time.time_ns()
        span = self.tracer.start_span(
            name, attributes=attributes, start_time=ended_ns - int(seconds * 1e9)
        )
        if is_error:
            span.set_status(StatusCode.ERROR)
        span.end(ended_ns)

    def close(self) -> None:
        """Send what waits, for at most 1.5 s."""
        closing = Thread(target=self._provider.shutdown, name="traces", daemon=True)
        closing.start()
        closing.join(_CLOSE_SECONDS)


def check_tracing(traces: str) -> None:
    """Raise StartError `traces_not_installed` when traces are wanted and cannot be made."""
    if traces != "off" and not all(map(_is_there, _NEEDED)):
        hint = "install it with `pip install 'offloader[otel]'`, or set OFFLOADER_TRACES=off"
        message = f"OFFLOADER_TRACES is {traces} and OpenTelemetry is not installed"
        raise StartError("traces_not_installed", message, hint)


def open_tracing(traces: str) -> Tracing | None:
    """Begin to send spans of this process; None when traces are off."""
    if traces == "off":
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider)


def _resource() -> Resource:
    """Return what the SDK's variables say of this service, which else is called `offloader`."""
    from opentelemetry.sdk.resources import Resource

    found = Resource.create({"service.version": __version__})
    if str(found.attributes["service.name"]).startswith("unknown_service"):
        return found.merge(Resource({"service.name": _SERVICE}))
    return found


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # not even the package it would be in
        return False
