"""/docs, /openapi.json and /schema on the admin port of a real service."""

from __future__ import annotations

import json

import pytest
from openapi_spec_validator import validate

from tests.apidocs.documented import COLUMNS, TENANT, TOKEN, Documented
from tests.projects import token_hash
from tests.service_process import ADMIN_TOKEN

ROUTES = {
    "/docs": "text/html; charset=utf-8",
    "/openapi.json": "application/json",
    "/schema": "application/json",
    "/schema/rows": "application/schema+json",
}


@pytest.mark.parametrize(("route", "content_type"), ROUTES.items())
def test_each_route_answers_and_is_kept_by_its_etag(
    documented: Documented, route: str, content_type: str
) -> None:
    """GET, HEAD, and 304 to whoever has it; nobody needs a token."""
    get = documented.service.ask_admin(route)
    head = documented.service.ask_admin(route, method="HEAD")
    assert (get.status, get.headers["content-type"]) == (200, content_type)
    assert (head.status, head.body, head.headers["etag"]) == (200, b"", get.headers["etag"])
    assert (get.headers["cache-control"], get.headers["vary"]) == ("no-cache", "Accept")
    same = documented.service.ask_admin(route, {"If-None-Match": get.headers["etag"]})
    assert (same.status, same.body, "content-length" in same.headers) == (304, b"", False)
    other = documented.service.ask_admin(route, {"If-None-Match": '"other"'})
    assert (other.status, other.body) == (200, get.body)


def test_etags_differ(documented: Documented) -> None:
    """No two documents share one, nor the two forms of /docs."""
    tags = {documented.service.ask_admin(route).headers["etag"] for route in ROUTES}
    as_json = documented.service.ask_admin("/docs", {"Accept": "application/json"})
    assert len(tags | {as_json.headers["etag"]}) == 5


@pytest.mark.parametrize("route", ROUTES)
def test_other_methods_are_refused(documented: Documented, route: str) -> None:
    """405 names what there is."""
    refused = documented.service.ask_admin(route, method="POST")
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD")


def test_an_unknown_schema_is_404(documented: Documented) -> None:
    """Also to whoever says that they have it."""
    for headers in ({}, {"If-None-Match": "*"}):
        refused = documented.service.ask_admin("/schema/nothing", headers)
        assert (refused.status, refused.code) == (404, "not_found")


@pytest.mark.parametrize("route", ROUTES)
def test_nothing_of_it_answers_on_the_api_port(documented: Documented, route: str) -> None:
    """Product traffic cannot reach it."""
    assert documented.ask(route).status == 404


@pytest.mark.parametrize(
    ("accept", "is_json"),
    [
        ("application/json", True),
        ("application/json, text/html;q=0.9", True),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
        ("*/*", False),
        ("image/png", False),
    ],
)
def test_accept_chooses_between_page_and_json(
    documented: Documented, accept: str, is_json: bool
) -> None:
    """The page comes unless JSON is preferred."""
    reply = documented.service.ask_admin("/docs", {"Accept": accept})
    wanted = "application/json" if is_json else "text/html; charset=utf-8"
    assert (reply.status, reply.headers["content-type"]) == (200, wanted)
    if is_json:
        assert [one["name"] for one in reply.document["endpoints"]] == [
            "picked", "rows", "totals", "whole",
        ]  # fmt: skip


def test_the_page_may_load_and_send_nothing(documented: Documented) -> None:
    """Its policy allows its own style and script by their hashes."""
    reply = documented.service.ask_admin("/docs")
    policy = dict(
        part.strip().split(" ", 1) for part in reply.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == policy["connect-src"] == policy["form-action"] == "'none'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"].startswith("'sha256-")
    assert policy["style-src"].startswith("'sha256-")
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert b"http://" not in reply.body.replace(b"http://127.0.0.1:4000", b"")
    assert b"https://" not in reply.body


def test_values_of_the_project_are_escaped(documented: Documented) -> None:
    """A description is text, whatever stands in it."""
    body = documented.service.ask_admin("/docs").body
    assert b"Every row &amp; every &lt;param&gt;" in body
    assert b"every <param>" not in body


def test_openapi_is_valid(documented: Documented) -> None:
    """By a validator of others, and it names the revision that is served."""
    document = json.loads(documented.service.ask_admin("/openapi.json").body)
    validate(document)
    status = documented.service.ask_admin("/status").document
    assert document["openapi"] == "3.1.0"
    assert document["x-offloader-catalog-revision"] == status["config_revision"]
    names = ("picked", "rows", "totals", "whole")
    assert list(document["paths"]) == [*(f"/v1/endpoints/{name}" for name in names), "/healthz"]


def test_nothing_secret_is_told(documented: Documented) -> None:
    """No tenant, key, hash, token, path of a file, nor the column that keeps tenants apart."""
    bodies = [documented.service.ask_admin(route).body for route in ROUTES]
    bodies.append(documented.service.ask_admin("/docs", {"Accept": "application/json"}).body)
    text = b"".join(bodies).decode()
    secrets = (TENANT, TOKEN, token_hash(TOKEN), ADMIN_TOKEN, "key_documented", "manifest.json")
    for secret in (*secrets, next(iter(COLUMNS))):
        assert secret not in text
