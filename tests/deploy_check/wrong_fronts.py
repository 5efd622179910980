"""Wrong things in front of the real service, each a block that yields what to check with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from tests.deploy_check.front import Sent, front, with_header
from tests.http_replies import Reply
from tests.service_process import ADMIN_TOKEN, Running

Environ = Mapping[str, str | None]


@contextmanager
def swapped(service: Running) -> Iterator[Environ]:
    yield {"api_url": service.admin_url, "admin_url": service.api_url, "ready_timeout": "1"}


@contextmanager
def admin_on_api(service: Running) -> Iterator[Environ]:
    def alter(sent: Sent) -> Sent:
        is_api = sent.target.startswith(("/v1/", "/healthz"))
        return sent if is_api else replace(sent, address=service.admin)

    with front(service.api, alter) as url:
        yield {"api_url": url}


@contextmanager
def one_admin_route(service: Running) -> Iterator[Environ]:
    def alter(sent: Sent) -> Sent:
        return replace(sent, address=service.admin) if sent.target == "/metrics" else sent

    with front(service.api, alter) as url:
        yield {"api_url": url}


@contextmanager
def api_on_admin(service: Running) -> Iterator[Environ]:
    def alter(sent: Sent) -> Sent:
        return replace(sent, address=service.api) if sent.target == "/healthz" else sent

    with front(service.admin, alter) as url:
        yield {"admin_url": url}


@contextmanager
def deaf_to_etags(service: Running) -> Iterator[Environ]:
    with front(service.api, lambda sent: sent.with_header("If-None-Match", None)) as url:
        yield {"api_url": url}


@contextmanager
def weakens_etags(service: Running) -> Iterator[Environ]:
    def answer(_sent: Sent, reply: Reply) -> Reply:
        tag = reply.headers.get("etag")
        return with_header(reply, "ETag", f"W/{tag}") if tag else reply

    with front(service.api, answer=answer) as url:
        yield {"api_url": url}


@contextmanager
def adds_the_token(service: Running) -> Iterator[Environ]:
    token = f"Bearer {ADMIN_TOKEN}"
    with front(service.admin, lambda sent: sent.with_header("Authorization", token)) as url:
        yield {"admin_url": url}


@contextmanager
def adds_a_key(service: Running) -> Iterator[Environ]:
    key = "Bearer test-token-tenant_0"
    with front(service.api, lambda sent: sent.with_header("Authorization", key)) as url:
        yield {"api_url": url}


@contextmanager
def mixes_answers(service: Running) -> Iterator[Environ]:
    def answer(_sent: Sent, reply: Reply) -> Reply:
        return with_header(reply, "Offloader-Snapshot-Id", "s0001")

    with front(service.api, answer=answer) as url:
        yield {"api_url": url}


@contextmanager
def redirects(service: Running) -> Iterator[Environ]:
    def answer(_sent: Sent, reply: Reply) -> Reply:
        return Reply(302, (("Location", service.api_url),), b"") if reply.status == 200 else reply

    with front(service.api, answer=answer) as url:
        yield {"api_url": url}


@contextmanager
def nothing(service: Running) -> Iterator[Environ]:
    yield {}
