"""Deliberate breakages of a deployment: what is wrong, the exit code, and the line that says so.

`docs/deploy-check.md` lists them; each is made by a block that yields the options to check with.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

from tests.deploy_check.site import MISTYPED_KEY, OLD_ENDPOINT, REVOKED_KEY
from tests.deploy_check.wrong_fronts import (
    Environ,
    adds_a_key,
    adds_the_token,
    admin_on_api,
    api_on_admin,
    deaf_to_etags,
    mixes_answers,
    nothing,
    one_admin_route,
    redirects,
    swapped,
    weakens_etags,
)
from tests.service_process import Running


class Make(Protocol):
    """Break a deployment of a running service until the block ends."""

    def __call__(self, service: Running) -> AbstractContextManager[Environ]:
        """Yield what the gate's environment is altered by."""


@dataclass(frozen=True, slots=True)
class Breakage:
    """One way to deploy wrongly; `line` is how the line of the check that fails begins."""

    words: str
    exit_code: int
    line: str
    make: Make


def _set(**environ: str | None) -> Make:
    @contextmanager
    def make(service: Running) -> Iterator[Environ]:
        yield environ

    return make


# Of the instance itself: these need one of their own, see test_breakages.py.
NEVER_LOADS = Breakage(
    "the dataset never loads",
    10,
    "FAIL  readiness ready: expected HTTP 200 of an admin port within 1 s;"
    ' came HTTP 503, "dataset usage is not loaded yet"; to do: see /status',
    nothing,
)
NO_TOKEN = Breakage(
    "the instance has no admin token",
    20,
    "FAIL  admin diagnostics: expected HTTP 200 with the token; came HTTP 403 no_admin_token;"
    " to do: start the instance with OFFLOADER_ADMIN_TOKEN_FILE",
    nothing,
)
PROCESS_BREAKAGES = (NEVER_LOADS, NO_TOKEN)
BREAKAGES = (
    Breakage(
        "the ports are swapped",
        10,
        "FAIL  readiness ready: expected HTTP 200 of an admin port within 1 s;"
        " came HTTP 404 not_found;",
        swapped,
    ),
    Breakage(
        "the instance was ready before it was deployed",
        10,
        "FAIL  readiness was_unready: expected HTTP 503 before HTTP 200; came HTTP 200 at once;",
        _set(prove_unready="1"),
    ),
    Breakage(
        "another version runs",
        20,
        "FAIL  admin version: expected version 99.0; came version 0.",
        _set(expect_version="99.0"),
    ),
    Breakage(
        "the instance has another admin token",
        20,
        "FAIL  admin diagnostics: expected HTTP 200 with the token; came HTTP 401 unauthorized;",
        _set(admin_token="another-admin-token"),
    ),
    Breakage(
        "a proxy adds the admin token",
        20,
        "FAIL  admin diagnostics_without_token: expected HTTP 401 or 403; came HTTP 200;",
        adds_the_token,
    ),
    Breakage(
        "the key's hash is wrong",
        30,
        "FAIL  endpoint answer: expected HTTP 200; came HTTP 401 unauthorized; to do: is the key",
        _set(key=MISTYPED_KEY),
    ),
    Breakage(
        "the key is revoked",
        30,
        "FAIL  endpoint answer: expected HTTP 200; came HTTP 401 unauthorized; to do: is the key",
        _set(key=REVOKED_KEY),
    ),
    Breakage(
        "the key is not granted the endpoint",
        30,
        "FAIL  endpoint answer: expected HTTP 200; came HTTP 404 not_found; to do: is there such",
        _set(endpoint="usage_rows"),
    ),
    Breakage(
        "the endpoint takes other params",
        30,
        "FAIL  endpoint answer: expected HTTP 200; came HTTP 422 unknown_param;",
        _set(query="account=1"),
    ),
    Breakage(
        "the API address redirects",
        30,
        "FAIL  endpoint answer: expected HTTP 200; came HTTP 302 (redirects are not followed);",
        redirects,
    ),
    Breakage(
        "a proxy adds a key",
        30,
        "FAIL  endpoint wrong_key: expected HTTP 401; came HTTP 200; to do: the data is open",
        adds_a_key,
    ),
    Breakage(
        "a proxy drops If-None-Match",
        30,
        "FAIL  endpoint not_modified: expected HTTP 304 to If-None-Match; came HTTP 200;",
        deaf_to_etags,
    ),
    Breakage(
        "a proxy weakens the ETag",
        30,
        'FAIL  endpoint etag: expected a strong ETag; came W/"',
        weakens_etags,
    ),
    Breakage(
        "a proxy leads to the admin port",
        40,
        "FAIL  separation admin_on_api: expected HTTP 404 at /diagnostics;"
        " came HTTP 401 unauthorized;",
        admin_on_api,
    ),
    Breakage(
        "a proxy leads to one admin route",
        40,
        "FAIL  separation admin_on_api: expected HTTP 404 at /metrics; came HTTP 200;",
        one_admin_route,
    ),
    Breakage(
        "a proxy of the admin port leads to the API",
        40,
        "FAIL  separation api_on_admin: expected HTTP 404 at /healthz; came HTTP 200;",
        api_on_admin,
    ),
    Breakage(
        "another snapshot is served",
        50,
        "FAIL  snapshot expected_id: expected s0003; came s0002;",
        _set(snapshot_id="s0003"),
    ),
    Breakage(
        "the snapshot is stale",
        50,
        "FAIL  snapshot fresh: expected a fresh answer; came a stale one,"
        " watermark 2026-06-01T00:00:00Z,",
        _set(endpoint=OLD_ENDPOINT),
    ),
    Breakage(
        "the snapshot is older than agreed",
        50,
        "FAIL  snapshot max_age: expected at most 60 s; came ",
        _set(endpoint=OLD_ENDPOINT, allow_stale="1", max_age="60"),
    ),
    Breakage(
        "a proxy mixes answers",
        50,
        "FAIL  snapshot snapshot_id: expected the same id in header and body;"
        " came s0001 and s0002;",
        mixes_answers,
    ),
)
