"""Traces by OpenTelemetry, off and free by default: a real service sends spans to a collector."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from offloader.errors import StartError
from offloader.service.tracing import check_tracing, open_tracing
from tests.projects import UsageProject, usage_project
from tests.service_process import Running, refused, running
from tests.web.collector import Collector, attributes, collector
from tests.web.raw_requests import TRACE
from tests.web.secret_hunt import leaks

TRACE_ID, PARENT_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SERVER = 2  # opentelemetry.proto.trace.v1: SPAN_KIND_SERVER
ERROR = 2  # STATUS_CODE_ERROR
ROWS = "/v1/endpoints/usage_rows"
PLANTED = "planted.value.7Qm2Zp9Lr4Tn"


@dataclass(frozen=True, slots=True)
class Traced:
    """A service that sends its spans to a collector."""

    service: Running
    collector: Collector
    project: UsageProject


@pytest.fixture
def project(tmp_path: Path) -> UsageProject:
    return usage_project(tmp_path / "project", rows=30)


@pytest.fixture
def traced(
    project: UsageProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Traced]:
    with collector() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        options = {"traces": "otlp", "access_log": "all", "workers": "1"}
        with running(project.root, tmp_path / "cache", **options) as service:
            yield Traced(service, found, project)


def test_a_request_is_a_span_below_the_callers(traced: Traced) -> None:
    """With route and status; what is logged of the request names this span."""
    service, key = traced.service, traced.project.authorization("tenant_0")
    sent = {"traceparent": TRACE.decode(), "tracestate": "vendor=kept", "X-Request-Id": "r-1"}
    reply = service.ask(f"{ROWS}?limit=2", {**key, **sent})
    assert reply.status == 200
    assert not {"traceparent", "tracestate"} & {name.lower() for name in reply.headers}
    service.wait(lambda: traced.collector.named(f"GET {ROWS}"))
    (span,) = traced.collector.named(f"GET {ROWS}")
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE_ID, PARENT_ID)
    assert (span.kind, span.trace_state, span.status.code) == (SERVER, "vendor=kept", 0)
    assert 0 < span.end_time_unix_nano - span.start_time_unix_nano < 10**10
    told = attributes(span)
    assert told.pop("http.response.body.size") == len(reply.body)
    assert told == {
        "http.request.method": "GET",
        "http.route": ROWS,
        "http.response.status_code": 200,
        "network.protocol.version": "1.1",
        "url.scheme": "http",
        "offloader.generation": 2,
        "offloader.rows": 2,
        "offloader.cache": "off",
    }
    service.wait(lambda: service.events("request"))
    (line,) = service.events("request")
    assert (line["trace_id"], line["span_id"]) == (TRACE_ID, span.span_id.hex())
    assert traced.collector.resources[0]["service.name"] == "offloader"


def test_spans_hold_nothing_that_was_sent(traced: Traced) -> None:
    """A name that there is not, a method nobody has, a value, a key, a state that is none."""
    service = traced.service
    key = traced.project.authorization("tenant_0")
    for target, headers, method in (
        (f"/v1/endpoints/{PLANTED}", key, "GET"),
        (f"{ROWS}?account_id={PLANTED}", key, "GET"),
        (f"{ROWS}?{PLANTED}=1", key, "GET"),
        (ROWS, {"Authorization": f"Bearer {PLANTED}"}, "GET"),
        (ROWS, {**key, "traceparent": TRACE.decode(), "tracestate": PLANTED}, "HEAD"),
        (ROWS, {**key, "traceparent": PLANTED}, "GET"),
        (ROWS, key, PLANTED),
    ):
        service.ask(target, headers, method)
    spans = traced.collector.spans
    service.wait(lambda: len([span for span in spans if span.kind == SERVER]) >= 6)
    named = {(s.name, attributes(s).get("http.response.status_code")) for s in spans}
    assert named >= {
        ("GET /v1/endpoints/{name}", 404),
        (f"GET {ROWS}", 200),
        (f"GET {ROWS}", 422),
        (f"GET {ROWS}", 401),
        (f"HEAD {ROWS}", 200),
    }
    assert all(span.status.code != ERROR for span in spans if span.kind == SERVER)
    shown = {"spans": b"\n".join(traced.collector.received)}
    shown["log"] = json.dumps(service.lines).encode()
    secrets = {"planted": PLANTED, "token": traced.project.tokens["tenant_0"]}
    assert leaks(secrets, shown) == []


def test_a_refresh_is_a_span(traced: Traced) -> None:
    """One that found a snapshot, and one that failed; a look that finds nothing new is none."""
    service, found = traced.service, traced.collector
    service.wait(lambda: found.named("refresh"))
    (span,) = found.named("refresh")
    assert attributes(span) == {
        "offloader.dataset": "usage",
        "offloader.snapshot": "s0001",
        "offloader.wish": "follow",
    }
    traced.project.manifest_path.write_text("{}", encoding="utf-8")
    service.wait(lambda: any(one.status.code == ERROR for one in found.named("refresh")))
    refused = next(one for one in found.named("refresh") if one.status.code == ERROR)
    told = attributes(refused)
    service.wait(lambda: service.events("refresh_failed"))  # said after the span was made
    assert told["error.type"] == service.events("refresh_failed")[0]["code"]


def test_a_collector_that_is_away_holds_nobody_up(
    project: UsageProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests are answered, the stop is in time, and the log says it now and then."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    key = project.authorization("tenant_0")
    options = {"traces": "otlp", "workers": "1"}
    with running(project.root, tmp_path / "cache", **options) as service:
        for _ in range(20):
            assert service.ask(ROWS, key).status == 200
        service.wait(lambda: service.events("library"))
        assert loaded(service.worker_pids()[0])
    assert all(line["logger"].startswith("opentelemetry.") for line in service.events("library"))


def test_without_the_extra_the_start_says_what_to_install(
    project: UsageProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Instead of a service that sends nothing; nothing was loaded or written yet."""
    away = tmp_path / "away"
    away.mkdir()
    (away / "sitecustomize.py").write_text("import sys\nsys.modules['opentelemetry'] = None\n")
    monkeypatch.setenv("PYTHONPATH", str(away))
    code, lines = refused(project.root, tmp_path / "cache", traces="otlp")
    assert code == 2
    assert "[traces_not_installed]" in lines[-1]
    assert "pip install 'offloader[otel]'" in lines[-1]
    assert not (tmp_path / "cache").exists()


def test_off_costs_nothing(project: UsageProject, tmp_path: Path) -> None:
    """Nothing of it is imported, and what is missing is not missed."""
    monkey = pytest.MonkeyPatch()
    monkey.setitem(sys.modules, "opentelemetry", None)
    try:
        check_tracing("off")
        assert open_tracing("off") is None
        with pytest.raises(StartError, match="traces_not_installed"):
            check_tracing("otlp")
    finally:
        monkey.undo()
    with running(project.root, tmp_path / "cache", workers="1") as service:
        assert not any(map(loaded, [*service.worker_pids(), service.process.pid]))


def loaded(pid: int) -> bool:
    """Tell whether a process has what spans are encoded with."""
    return "google/_upb" in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
