"""Ask the admin port of a running instance, with the admin token and over no detour."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import HTTPErrorProcessor, ProxyHandler, Request, build_opener

from offloader.errors import OffloaderError
from offloader.settings import parsers
from offloader.settings.secrets import read_secret

TOKEN_NAME = "OFFLOADER_ADMIN_TOKEN"
DEFAULT_PORT = "4001"
ANSWER_SECONDS = 10.0
MAX_ANSWER_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class AdminClient:
    """Where an instance's admin port is, and the token to use there; empty for none."""

    url: str
    token: str = field(repr=False)

    def get(self, path: str) -> dict[str, Any]:
        """Return the document of a route; raises OffloaderError when there is none."""
        status, document = self.send(Request(self.url + path), ANSWER_SECONDS)
        if status != 200:
            raise refusal(status, document)
        return document

    def ask(self, path: str, timeout_seconds: float) -> tuple[int, bytes]:
        """Return the status and the body of a route, whatever they are.

        Raises OffloaderError `instance_unreachable` or `instance_answer_invalid`.
        """
        return self._send(Request(self.url + path), timeout_seconds)

    def post(
        self, path: str, body: Mapping[str, object], wait_seconds: float
    ) -> tuple[int, dict[str, Any]]:
        """Return the status and document of an action that may take `wait_seconds`."""
        headers = {"Content-Type": "application/json"}
        raw = json.dumps(body).encode()
        request = Request(self.url + path, raw, headers, method="POST")
        return self.send(request, wait_seconds + ANSWER_SECONDS)

    def send(self, request: Request, timeout_seconds: float) -> tuple[int, dict[str, Any]]:
        """Return the status and the JSON object of an answer.

        Raises OffloaderError `instance_unreachable` or `instance_answer_invalid`.
        """
        status, raw = self._send(request, timeout_seconds)
        return status, answered(raw)

    def _send(self, request: Request, timeout_seconds: float) -> tuple[int, bytes]:
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with _OPENER.open(request, timeout=timeout_seconds) as reply:
                return int(reply.status), reply.read(MAX_ANSWER_BYTES + 1)
        except HTTPException as error:
            raise _no_admin_port("its answer is not HTTP") from error
        except OSError as error:
            reason = getattr(error, "reason", error)
            hint = "is it running, and is this its admin port? Name another with --admin-url"
            message = f"{self.url} does not answer: {reason}"
            raise OffloaderError("instance_unreachable", message, hint) from error


def add_client_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what says which instance is asked, and with which token."""
    parser.add_argument(
        "--admin-url",
        type=admin_url,
        metavar="URL",
        help="the admin port (default: http://127.0.0.1 at OFFLOADER_ADMIN_PORT, else 4001)",
    )
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help=f"a file that holds the admin token (default: {TOKEN_NAME} or {TOKEN_NAME}_FILE)",
    )


def client_of(args: argparse.Namespace, environ: Mapping[str, str]) -> AdminClient:
    """Return the client that arguments and environment ask for.

    Raises OffloaderError `admin_token_missing`, `admin_token_invalid` or a code of a secret's file.
    """
    return AdminClient(url_of(args, environ), _token(args.token_file, environ))


def client_without_token(args: argparse.Namespace, environ: Mapping[str, str]) -> AdminClient:
    """Return the same client, without a token when there is none; raises for one that is wrong."""
    try:
        return client_of(args, environ)
    except OffloaderError as error:
        if error.code != "admin_token_missing":
            raise
        return AdminClient(url_of(args, environ), "")


def url_of(args: argparse.Namespace, environ: Mapping[str, str]) -> str:
    """Return where the instance's admin port is, as arguments and environment say."""
    port = environ.get("OFFLOADER_ADMIN_PORT") or DEFAULT_PORT
    return args.admin_url or f"http://127.0.0.1:{port}"


def admin_url(text: str) -> str:
    """Parse where an admin port is: http(s)://host[:port][/path]."""
    wanted = "expected a URL such as http://127.0.0.1:4001, without user, query or fragment"
    try:
        parts = urlsplit(text)
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole or parts.scheme not in ("http", "https") or set(text) & set("@?#\\ "):
        raise argparse.ArgumentTypeError(wanted)
    if not text.isascii() or not text.isprintable():
        raise argparse.ArgumentTypeError(wanted)
    return text.rstrip("/")


def refusal(status: int, document: Mapping[str, Any]) -> OffloaderError:
    """Return what an error answer of the admin port means for who asked."""
    error = document.get("error")
    if not isinstance(error, dict) or not isinstance(error.get("code"), str):
        return _no_admin_port(f"it answered with status {status}")
    hints = {
        401: f"the token is not this instance's {TOKEN_NAME}",
        403: f"start the instance with {TOKEN_NAME} set",
        404: "`offloader snapshot status` lists the datasets",
        503: "it is starting or busy: try again in a few seconds",
    }
    return OffloaderError(error["code"], str(error.get("message")), hints.get(status, ""))


def _token(token_file: Path | None, environ: Mapping[str, str]) -> str:
    text, named = environ.get(TOKEN_NAME, ""), environ.get(TOKEN_NAME + "_FILE")
    if text and named and token_file is None:
        message = f"{TOKEN_NAME} and {TOKEN_NAME}_FILE are both set"
        raise OffloaderError("secret_twice", message, "keep one of the two")
    path = token_file or (Path(named) if named else None)
    if path is not None:
        fault, token = read_secret(path)
        if fault:
            code, message, hint = fault
            raise OffloaderError(code, f"{path}: {message}", hint)
        text = token
    if not text:
        hint = f"set {TOKEN_NAME} to the instance's, or name a file with --token-file"
        raise OffloaderError("admin_token_missing", "there is no admin token", hint)
    try:
        return parsers.token(text)
    except ValueError as error:
        hint = f"expected {error}"
        raise OffloaderError("admin_token_invalid", "this is no admin token", hint) from None


def answered(raw: bytes) -> dict[str, Any]:
    """Return the JSON object of an answer; raises OffloaderError `instance_answer_invalid`."""
    if len(raw) > MAX_ANSWER_BYTES:
        raise _no_admin_port(f"its answer is larger than {MAX_ANSWER_BYTES >> 20} MiB")
    try:
        return dict(json.loads(raw))
    except (ValueError, TypeError, RecursionError):
        raise _no_admin_port("its answer is not a JSON object") from None


def _no_admin_port(reason: str) -> OffloaderError:
    hint = "name the admin port of an instance with --admin-url"
    message = f"this is no admin port of Offloader: {reason}"
    return OffloaderError("instance_answer_invalid", message, hint)


class _AnyStatus(HTTPErrorProcessor):
    """Takes every status as an answer. So no redirect is followed: the token is for one URL."""

    def http_response(self, request: Request, response: HTTPResponse) -> HTTPResponse:  # noqa: ARG002
        """Return the answer as it came."""
        return response

    https_response = http_response


_OPENER = build_opener(ProxyHandler({}), _AnyStatus)
