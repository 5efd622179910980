"""From a catalog's guide to one HTML file, complete in itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache

from offloader.web.pages import asset, policy, security_headers, source_hash, templates

PACKAGE = "offloader.web.docs_site"


def docs_html(guide: Mapping[str, object], *, is_served: bool) -> str:
    """Return the page of a guide.

    One that `is_served` links to its neighbours on the admin port; a file carries its policy.
    """
    page = templates(PACKAGE).get_template("page.html")
    return page.render(
        guide,
        is_served=is_served,
        policy="" if is_served else _policy(),
        style=asset(PACKAGE, "docs.css"),
        script=asset(PACKAGE, "docs.js"),
        pretty=_pretty,
    )


@cache
def docs_headers() -> Mapping[str, str]:
    """Return the security headers of the page: its own style and script, and no other."""
    return security_headers(script=_hash("docs.js"), style=_hash("docs.css"))


def _policy() -> str:
    return policy(script=_hash("docs.js"), style=_hash("docs.css"))


def _hash(name: str) -> str:
    return source_hash(asset(PACKAGE, name))


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
