"""Pages for people: their templates, their files, and the headers that keep them safe.

No server is imported here, so that a command can make the same pages.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

NONE = "'none'"


@cache
def templates(package: str) -> Environment:
    """Return the templates of a package, out of its folder `templates`; all values are escaped.

    A name that a template uses and nobody gave is an error.
    """
    # Takes 4 MB, which only a worker that is asked for a page spends.
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    return Environment(
        autoescape=True,
        loader=FunctionLoader(lambda name: asset(package, f"templates/{name}")),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )


def asset(package: str, name: str) -> str:
    """Return the text of a file in a package; `name` is a path below it, never a caller's."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


def source_hash(text: str) -> str:
    """Return what a policy says to allow this one inline script or style (CSP 3, 2.3.1)."""
    digest = b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
    return f"'sha256-{digest}'"


def policy(script: str = NONE, style: str = NONE, connect: str = NONE) -> str:
    """Return a Content-Security-Policy that allows these sources, and of the rest next to nothing.

    A page of it can neither ask another host for anything nor send anything there.
    """
    return (
        f"default-src 'none'; script-src {script}; style-src {style}; connect-src {connect};"
        " img-src 'self' data:; base-uri 'none'; form-action 'none'"
    )


def security_headers(script: str = NONE, style: str = NONE, connect: str = NONE) -> dict[str, str]:
    """Return the headers of a page that allows these sources; nobody may put it into a frame."""
    allowed = policy(script, style, connect)
    return {
        "Content-Security-Policy": f"{allowed}; frame-ancestors 'none'",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
