"""Both paths of a request give the same bytes, counters and log lines, whatever is sent."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.web.raw_requests import (
    BODIES,
    FIELDS,
    KEY,
    ODD_FIELDS,
    ODD_METHODS,
    ODD_TARGETS,
    ODD_VERSIONS,
    PAGE,
    TARGET,
    conversations,
    head,
)
from tests.web.site import Site, is_quick, make_generation, shown, site, talk

SETTINGS = {
    "plain": {},
    "logged": {"ACCESS_LOG": "all"},
    "list": {"CORS_ORIGINS": PAGE.decode(), "ACCESS_LOG": "all"},
    "any": {"CORS_ORIGINS": "*"},
}
GENERATIONS = {"tenant": make_generation(), "public": make_generation(is_public=True), "none": None}
Pieces = list[tuple[bytes, int | None]]


def seen(made: Site, path: str, pieces: Pieces) -> dict[str, Any]:
    """Return all that one conversation leaves behind."""
    answers = [(shown(written), is_closed) for written, is_closed in talk(made, path, pieces)]
    lines = [{n: v for n, v in line.items() if n != "seconds"} for line in made.lines]
    for line in lines:
        if re.fullmatch("[0-9a-f]{32}", line.get("request_id", "")):
            line["request_id"] = "ID"
    return {"answers": answers, "counts": made.counts(), "lines": lines}


def assert_same(
    pieces: Pieces, named: str = "list", generation: str = "tenant", *, is_draining: bool = False
) -> dict[str, Any]:
    """Compare both paths, and return what they left behind."""
    found = {}
    for path in ("off", "on"):
        with site(GENERATIONS[generation], is_draining=is_draining, **SETTINGS[named]) as made:
            found[path] = seen(made, path, pieces)
    assert found["on"] == found["off"]
    return found["on"]


@pytest.fixture(autouse=True)
def one_heavy_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the queries of one endpoint leave the loop."""
    monkeypatch.setattr("offloader.web.hot_path.is_quick", is_quick)


@given(
    conversations(),
    st.sampled_from(sorted(SETTINGS)),
    st.sampled_from(["tenant", "tenant", "public", "none"]),
    st.sampled_from([False, False, False, True]),
)
@settings(
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_both_paths_leave_the_same_behind(
    pieces: Pieces, named: str, generation: str, is_draining: bool
) -> None:
    """Answers byte for byte, closed connections, counters and log lines."""
    assert_same(pieces, named, generation, is_draining=is_draining)


GOOD = head(TARGET + b"?limit=1", KEY)
PAIRS: dict[str, list[bytes]] = {
    "again": [GOOD],
    "head": [head(TARGET, KEY, method=b"HEAD")],
    "not modified": [head(TARGET, KEY, b"If-None-Match: *")],
    "for the pool": [head(b"/v1/endpoints/heavy", KEY)],
    "a pair": [GOOD + head(b"/healthz")],
    "a page": [head(TARGET, KEY, b"Origin: " + PAGE)],
    "another page": [head(TARGET, KEY, b"Origin: https://evil.example")],
    "kept": [head(b"/v1/endpoints/kept?limit=1", KEY)] * 3,
    "kept, large": [head(b"/v1/endpoints/kept", KEY)] * 3,
    "coded": [head(TARGET + b"?limit=8", KEY, b"Accept-Encoding: gzip")],
    "its own id": [head(TARGET, KEY, b"X-Request-Id: a-1")],
    "no id": [head(TARGET, KEY, b"X-Request-Id: a 1")],
    "a body to skip": [head(TARGET, b"Content-Length: %d" % len(GOOD), method=b"POST"), GOOD],
    "chunks to skip": [head(TARGET, b"Transfer-Encoding: chunked", method=b"POST"), GOOD],
    "chunks": [b"%x\r\n" % len(GOOD) + GOOD],
    "refused before": [head(b"/nothing"), GOOD],
    **{f"{method!r}": [head(TARGET, KEY, method=method)] for method in ODD_METHODS},
    **{f"{target[:40]!r}": [head(target, KEY)] for target in ODD_TARGETS},
    **{f"{version!r}": [head(TARGET, KEY, version=version)] for version in ODD_VERSIONS},
    **{f"{field[:60]!r}": [head(TARGET, KEY, field)] for field in (*FIELDS, *ODD_FIELDS)},
    **{f"body {field!r} {body!r}": [head(TARGET, KEY, field) + body] for field, body in BODIES},
}


@pytest.mark.parametrize("turns", [None, 0, 1])
@pytest.mark.parametrize("what", PAIRS)
def test_nothing_odd_changes_what_comes_before_or_behind_it(what: str, turns: int | None) -> None:
    """Each odd request among good ones, read one by one, at once, or while one is answered."""
    pieces = [(piece, turns) for piece in (GOOD, *PAIRS[what], GOOD, GOOD)]
    assert_same(pieces)
    assert_same([(b"".join((GOOD, *PAIRS[what], GOOD)), None)])
