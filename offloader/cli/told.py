"""What a running instance says at its admin port: for commands that look at it as a whole."""

from __future__ import annotations

from offloader.cli.admin_client import AdminClient, answered, refusal
from offloader.errors import OffloaderError
from offloader.service.doctor.instance import Document, Told

SECONDS = 5.0


def told_by(client: AdminClient) -> Told:
    """Ask for readiness, status and diagnostics.

    Raises OffloaderError when no instance of Offloader answers there. Without the right token there
    are no diagnostics, and the refusal says why.
    """
    ready, status = _document(client, "/ready", 503), _document(client, "/status")
    if status.get("service") != "offloader":
        hint = "name the admin port of an instance with --admin-url"
        message = f"{client.url} is no admin port of Offloader"
        raise OffloaderError("instance_answer_invalid", message, hint)
    if not client.token:
        hint = "set OFFLOADER_ADMIN_TOKEN to the instance's, or name a file with --token-file"
        missing = ("admin_token_missing", "there is no admin token", hint)
        return Told(client.url, ready, status, refusal=missing)
    try:
        return Told(client.url, ready, status, _document(client, "/diagnostics"))
    except OffloaderError as error:
        return Told(client.url, ready, status, refusal=(error.code, error.message, error.hint))


def _document(client: AdminClient, path: str, other_status: int = 200) -> Document:
    status, raw = client.ask(path, SECONDS)
    document = answered(raw)
    if status not in (200, other_status):
        raise refusal(status, document)
    return document
