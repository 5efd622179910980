"""Which pages may read an answer: `OFFLOADER_CORS_ORIGINS` unset, `*`, or a list."""

from __future__ import annotations

from pathlib import Path

from tests.service_process import Running, running
from tests.web.conftest import PAGE, Tenants
from tests.web.served import PLAIN, public_project

OPEN = "/v1/endpoints/open"
PREFLIGHT = {"Access-Control-Request-Method": "GET"}


def cors(service: Running, target: str, origin: str | None, method: str = "GET") -> dict[str, str]:
    """Return the CORS headers, and Vary, of one answer."""
    sent = {} if origin is None else {"Origin": origin, **PREFLIGHT}
    headers = service.ask(target, sent, method).headers
    return {n: t for n, t in headers.items() if n.startswith("access-control") or n == "vary"}


EXPOSED = (
    "ETag, Retry-After, X-Request-Id, Offloader-Cache, Offloader-Snapshot-Age,"
    " Offloader-Snapshot-Id, Offloader-Watermark"
)


def test_unset_lets_no_page_read(tenants: Tenants) -> None:
    """No CORS header in any answer; OPTIONS still says what is allowed."""
    assert cors(tenants.service, PLAIN, PAGE) == {"vary": "Accept, Accept-Encoding, Authorization"}
    reply = tenants.service.ask(PLAIN, {"Origin": PAGE, **PREFLIGHT}, "OPTIONS")
    assert (reply.status, reply.body) == (204, b"")
    assert reply.headers["allow"] == "GET, HEAD, OPTIONS"
    assert cors(tenants.service, PLAIN, PAGE, "OPTIONS") == {}


def test_a_list_lets_its_pages_read(public: Running) -> None:
    """A listed origin is named, another gets nothing, and every answer varies by Origin."""
    assert cors(public, OPEN, PAGE) == {
        "access-control-allow-origin": PAGE,
        "access-control-expose-headers": EXPOSED,
        "vary": "Accept, Accept-Encoding, Origin",
    }
    for other in (None, "https://evil.example", f"{PAGE}.evil.example", "null", PAGE.upper()):
        assert cors(public, OPEN, other) == {"vary": "Accept, Accept-Encoding, Origin"}
    assert cors(public, f"{OPEN}?limit=0", PAGE)["access-control-allow-origin"] == PAGE
    assert cors(public, "/absent", PAGE)["access-control-allow-origin"] == PAGE


def test_a_preflight_tells_what_may_be_sent(public: Running) -> None:
    """The same for every name, so that it tells nothing of what exists."""
    assert cors(public, OPEN, PAGE, "OPTIONS") == {
        "access-control-allow-origin": PAGE,
        "access-control-allow-methods": "GET, HEAD, OPTIONS",
        "access-control-allow-headers": "Accept, Authorization, If-None-Match, X-Request-Id",
        "access-control-max-age": "600",
        "vary": "Origin",
    }
    assert cors(public, "/v1/endpoints/absent", PAGE, "OPTIONS") == cors(
        public, OPEN, PAGE, "OPTIONS"
    )
    assert cors(public, OPEN, "https://evil.example", "OPTIONS") == {"vary": "Origin"}


def test_a_star_lets_every_page_read(tmp_path: Path) -> None:
    """`*` is answered as such, so nothing varies by Origin."""
    public_project(tmp_path / "project")
    with running(
        tmp_path / "project", tmp_path / "cache", workers="1", cors_origins="*"
    ) as service:
        for origin in (None, PAGE):
            assert cors(service, OPEN, origin) == {
                "access-control-allow-origin": "*",
                "access-control-expose-headers": EXPOSED,
                "vary": "Accept, Accept-Encoding",
            }
        shown = cors(service, OPEN, PAGE, "OPTIONS")
        assert shown["access-control-allow-origin"] == "*"
        assert "vary" not in shown
