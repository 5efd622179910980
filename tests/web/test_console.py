"""The console's routes: what is sent to whom, and that nothing can get in or out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest

from offloader.web.console.render import SECTIONS
from offloader.web.console.routes import FILES
from tests.http_replies import Reply, ask
from tests.web.admin_app import TOKEN
from tests.web.console_scenes import change, document, failing, item, refused, traffic
from tests.web.console_site import ConsoleSite, console_site

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'; trusted-types console"
)
HOSTILE = "<img src=x onerror=alert(1)>\"'</script>"


@pytest.fixture(scope="module")
def shared_site() -> Iterator[ConsoleSite]:
    with console_site() as served:
        yield served


@pytest.fixture
def site(shared_site: ConsoleSite) -> ConsoleSite:
    shared_site.scene.document, shared_site.scene.traffic = document(), (traffic(),)
    return shared_site


def get(site: ConsoleSite, target: str, method: str = "GET", **headers: str) -> Reply:
    """Ask without a token, unless a header says otherwise."""
    return ask(site.app.address, target, headers, method)


class Tags(HTMLParser):
    """The tags of a page, each with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("target", ["/", "/runbooks"])
def test_a_page_may_do_next_to_nothing(site: ConsoleSite, target: str) -> None:
    """Only the instance's own files, no frame, no form, no referrer, nothing kept."""
    reply = get(site, target)
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["content-security-policy"] == POLICY
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert reply.headers["cache-control"] == "no-store"
    assert "set-cookie" not in reply.headers


@pytest.mark.parametrize("target", ["/", "/runbooks"])
def test_a_page_names_no_other_host_and_holds_no_script(site: ConsoleSite, target: str) -> None:
    """Every address is relative, so that a path in front of the port does no harm."""
    site.scene.document = failing()
    tags = Tags(get(site, target).body.decode()).found
    for tag, attributes in tags:
        for name in ("href", "src", "action", "srcset"):
            assert not re.match(r"[a-z]+:|/", attributes.get(name) or ""), (tag, attributes)
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
    scripts = [attributes for tag, attributes in tags if tag == "script"]
    assert scripts == ([{"type": "module", "src": "console.js"}] if target == "/" else [])


def test_the_page_can_be_read_without_scripts(site: ConsoleSite) -> None:
    """All that anybody may see stands in the first answer, what fails first."""
    site.scene.document = failing()
    text = get(site, "/").body.decode()
    for shown in ("Not ready", "row_count_dropped", "runbooks#bad-manifest", "1,000,000"):
        assert shown in text
    assert 0 < text.index('id="dataset-forecast"') < text.index('id="dataset-usage"')
    assert "curl -H" in text[text.index("<noscript>") : text.index("</noscript>")]


def test_every_file_is_served_as_what_it_is(site: ConsoleSite) -> None:
    """The page's files, and those that its modules import."""
    imported = set()
    for name, content_type in FILES.items():
        reply = get(site, f"/{name}")
        assert (reply.status, reply.headers["content-type"]) == (200, content_type)
        assert reply.headers["x-content-type-options"] == "nosniff"
        imported |= set(re.findall(r'from "\./([a-z.]+)"', reply.body.decode()))
    assert imported == {name for name in FILES if name.endswith(".js")} - {"console.js"}


@pytest.mark.parametrize("target", ["/", "/runbooks", "/console.json", "/console.css"])
def test_head_is_get_without_a_body(site: ConsoleSite, target: str) -> None:
    """Other methods are 405."""
    head = get(site, target, "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert get(site, target, "POST").status == 405


def test_the_open_page_gets_its_sections_anew(site: ConsoleSite) -> None:
    """Each as HTML, and the counts that its charts are drawn from."""
    news = get(site, "/console.json").document
    assert set(news["sections"]) == set(SECTIONS)
    assert (news["is_open"], news["counts"]["requests"]) == (False, 1000)
    page = get(site, "/").body.decode()
    for html in news["sections"].values():
        assert html.strip() in page


def test_details_need_the_admin_token(site: ConsoleSite) -> None:
    """The same token as the routes behind it; anything else is 401."""
    site.scene.document = failing()
    news = get(site, "/console-details.json", authorization=f"Bearer {TOKEN}").document
    assert news["is_open"] is True
    assert "70 % of the rows are gone" in news["sections"]["problems"]
    assert 'data-kind="rollback"' in news["sections"]["datasets"]
    for sent in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {TOKEN}"}):
        reply = get(site, "/console-details.json", **sent)
        assert (reply.status, reply.code) == (401, "unauthorized")


def test_a_token_that_a_proxy_adds_opens_nothing(site: ConsoleSite) -> None:
    """What anybody may see does not depend on Authorization."""
    site.scene.document = failing()
    for sent in ("Basic abc", "Bearer of-a-proxy", f"Bearer {TOKEN}"):
        reply = get(site, "/console.json", authorization=sent)
        assert (reply.status, reply.document["is_open"]) == (200, False)
        assert b"70 %" not in reply.body


def test_an_instance_without_a_token_says_so() -> None:
    """The page says what to set; the details are 403."""
    with console_site(token=None) as site:
        text = get(site, "/").body.decode()
        assert 'data-token="unset"' in text
        assert "this instance has no\n  <code>OFFLOADER_ADMIN_TOKEN</code>" in text
        reply = get(site, "/console-details.json", authorization="Bearer x")
        assert (reply.status, reply.code) == (403, "no_admin_token")


def test_what_others_wrote_is_never_markup(site: ConsoleSite) -> None:
    """Messages, ids and names of a snapshot, a config and a caller are text."""
    told = document({"usage": refused("too_few_rows", HOSTILE, HOSTILE, snapshot_id=HOSTILE)})
    told["verdict"]["items"] = [item("upstream", HOSTILE, "usage", message=HOSTILE, hint=HOSTILE)]
    told["verdict"]["summary"] = HOSTILE
    told["last_swaps"] = [change(message=HOSTILE, to=HOSTILE, code=HOSTILE)]
    told["config_sync"]["problems"] = [{"file": HOSTILE, "path": "", "message": HOSTILE}]
    site.scene.document, site.scene.traffic = told, (traffic(HOSTILE),)
    news = get(site, "/console-details.json", authorization=f"Bearer {TOKEN}").document
    for text in (*news["sections"].values(), get(site, "/").body.decode()):
        assert "<img" not in text
        tags = Tags(text).found
        assert not [one for one in tags if one[0] == "img" or "onerror" in one[1]]
    assert "&lt;img" in news["sections"]["problems"]
