"""Response heads: the header fields of every answer of the API port, and their bytes.

Both paths of a request compose fields here; the bytes are those that Sanic makes of them.
"""

from __future__ import annotations

from collections.abc import Iterable

from sanic.headers import _HTTP1_STATUSLINES  # its texts, so that both paths say the same

from offloader.service.worker.answer import Response
from offloader.web.cors import cors_headers, vary

_LINES = [line.decode() for line in _HTTP1_STATUSLINES]
_NO_BODY = 304
_field = ": ".join


class CommonFields:
    """The fields that do not depend on what is answered, as lines, ready for every caller."""

    def __init__(self, origins: tuple[str, ...]) -> None:
        self._authed = _made(origins, is_authed=True)
        self._public = _made(origins, is_authed=False)

    def of(self, origin: str | None, *, is_authed: bool) -> str:
        """Return the lines for a page of `origin`; None when the request names none."""
        made = self._authed if is_authed else self._public
        return made.get(origin) or made[None]


def _made(origins: tuple[str, ...], *, is_authed: bool) -> dict[str | None, str]:
    plain = (("Vary", vary(origins, is_authed=is_authed)), ("X-Content-Type-Options", "nosniff"))
    return {
        origin: _lines((*plain, *cors_headers(origins, origin).items()))
        for origin in (None, *origins)
    }


def _lines(fields: Iterable[tuple[str, str]]) -> str:
    return "\r\n".join(map(_field, fields))


def compose(answer: Response, request_id: str, common: str) -> str:
    """Return the field lines of an answer, but for those of its framing.

    CRLF stands between them, not at the end.
    """
    return f"{answer.fields}\r\nX-Request-Id: {request_id}\r\n{common}"


def encode_kept_alive(answer: Response, request_id: str, common: str) -> bytes:
    """Return the whole head of an answer whose connection stays open, with the empty line.

    RFC 9112; the same for GET and HEAD, whose answer says how long the body of GET would be. The
    fields are those that `compose` gives, written in one go.
    """
    if answer.status == _NO_BODY:
        return (
            f"{_LINES[_NO_BODY]}{answer.fields}\r\nX-Request-Id: {request_id}\r\n{common}\r\n"
            "connection: keep-alive\r\n\r\n"
        ).encode()
    return (
        f"{_LINES[answer.status]}{answer.fields}\r\nX-Request-Id: {request_id}\r\n{common}\r\n"
        f"content-length: {answer.size_bytes}\r\nconnection: keep-alive\r\n"
        f"content-type: {answer.content_type}\r\n\r\n"
    ).encode()
