"""What callers send is in no log line: not in the access log, nor in what is said of a fault."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.projects import UsageProject, key_document, usage_project, write_yaml
from tests.service_process import Running, running
from tests.web.altered import alter
from tests.web.secret_hunt import leaks

PLANTED = {
    name: f"planted.{name}.7Qm2Zp9Lr4Tn"
    for name in (
        *("path", "name", "query", "value", "param", "key", "scheme", "cursor", "cookie", "agent"),
        *("field", "trace", "state", "origin", "method", "version", "body", "host", "tag", "id"),
    )
}
TENANT, TOKEN = "planted.tenant.4Tn7Qm2Zp9Lr", "planted.token.9Lr4Tn7Qm2Zp"
SECRETS = {**PLANTED, "tenant": TENANT, "token": TOKEN}
# A fault that repeats what it was given, as KeyError and many others do.
BREAKING = """
import offloader.service.worker.prepare as prepare_module

real = prepare_module.prepare

def prepare(generation, request, now):
    if b"breaks" in request.query:
        raise KeyError(request)
    return real(generation, request, now)

prepare_module.prepare = prepare
"""


@pytest.fixture
def project(tmp_path: Path) -> UsageProject:
    made = usage_project(tmp_path / "project", rows=30)
    keys = {"keys": [key_document("one", TOKEN, TENANT)]}
    write_yaml(made.root / "keys" / "keys.yml", keys)
    return made


def requests() -> Iterator[bytes]:
    """Yield requests with something planted in every place, well formed ones and others."""
    p = PLANTED
    key = f"Authorization: Bearer {TOKEN}"
    target = "/v1/endpoints/usage_rows"
    targets = [
        f"/{p['path']}",
        f"/v1/endpoints/{p['name']}",
        f"/v1/endpoints/{p['name'].lower().replace('.', '_')}",
        f"{target}/{p['path']}",
        f"{target}?{p['query']}",
        f"{target}?{p['param']}={p['value']}",
        f"{target}?account_id={p['value']}",
        f"{target}?limit={p['value']}",
        f"{target}?columns={p['value']}",
        f"{target}?cursor={p['cursor']}",
        f"{target}#{p['query']}",
        f"{target}?breaks={p['value']}",
        target,
        "/healthz",
    ]
    fields = [
        key,
        f"Authorization: Bearer {p['key']}",
        f"Authorization: {p['scheme']} {p['key']}",
        f"{key}\r\nCookie: {p['cookie']}",
        f"{key}\r\nUser-Agent: {p['agent']}",
        f"{key}\r\n{p['field']}: {p['value']}",
        f"{key}\r\nX-Request-Id: {p['id']} {p['id']}",
        f"{key}\r\ntraceparent: {p['trace']}",
        f"{key}\r\ntraceparent: 00-{'a' * 32}-{'b' * 16}-01\r\ntracestate: {p['state']}",
        f"{key}\r\nOrigin: {p['origin']}",
        f"{key}\r\nIf-None-Match: {p['tag']}",
        f"{key}\r\nAccept: {p['tag']}/{p['value']}",
        f"{p['field']} {p['value']}",
    ]
    for one in targets:
        for sent in fields if one in (target, targets[-3]) else fields[:2]:
            yield f"GET {one} HTTP/1.1\r\nHost: {p['host']}\r\n{sent}\r\n\r\n".encode()
    yield f"{p['method']} {target} HTTP/1.1\r\n{key}\r\n\r\n".encode()
    yield f"GET {target} {p['version']}\r\n{key}\r\n\r\n".encode()
    yield f"{p['method']}\r\n\r\n".encode()
    yield f"GET {target}?{p['query']}{'x' * 70_000} HTTP/1.1\r\n\r\n".encode()
    yield f"GET / HTTP/1.1\r\n{p['field']}: {'x' * 70_000}\r\n\r\n".encode()
    body = f"{p['body']}".encode()
    head = f"POST {target} HTTP/1.1\r\n{key}\r\nContent-Length: {len(body)}\r\n\r\n"
    yield head.encode() + body
    yield head.replace("Content-Length: ", "Content-Length: -").encode() + body


def send(address: tuple[str, int], request: bytes) -> bytes:
    """Send one request over a connection of its own, and return the beginning of what comes."""
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(request)
        connection.settimeout(0.05 if b"HTTP/1.1" not in request else 10)
        try:
            return connection.recv(65_536)
        except OSError:
            return b""


def send_all(service: Running) -> None:
    """Send everything to both ports."""
    for request in requests():
        send(service.api, request)
        send(service.admin, request.replace(b"/v1/endpoints/usage_rows", b"/diagnostics"))


@pytest.mark.parametrize("traces", ["off", "otlp"])
def test_nothing_of_a_request_is_logged(
    project: UsageProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, traces: str
) -> None:
    """On both ports, with every request logged, faults included, and also with traces on."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "planted.header.7Qm2Zp9Lr4Tn")
    alter(monkeypatch, tmp_path, BREAKING)
    options = {"access_log": "all", "log_level": "debug", "workers": "1", "traces": traces}
    with running(project.root, tmp_path / "cache", **options) as service:
        send_all(service)
        statuses = {line["status"] for line in service.events("request")}
        assert {200, 401, 404, 422, 500} <= statuses
        assert service.events("request_broke")
    logged = "\n".join(json.dumps(line, ensure_ascii=False) for line in service.lines).encode()
    assert leaks({**SECRETS, "header": "planted.header.7Qm2Zp9Lr4Tn"}, {"the log": logged}) == []
    assert b"breaks=" not in logged
    assert b"traceback" in logged
