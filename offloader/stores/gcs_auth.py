"""Who asks GCS: a session of Google's library that adds credentials to requests and refreshes them.

default   application default credentials: a key file, workload identity, the metadata server
bearer    a token, or the file it lies in, which is read anew for each request
none      nobody: public buckets, emulators
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import google.auth
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.exceptions import DefaultCredentialsError
from google.auth.transport.requests import AuthorizedSession
from requests.adapters import HTTPAdapter

from offloader.settings.parsers import token as checked_token
from offloader.settings.secrets import read_secret
from offloader.stores.access import Access
from offloader.stores.store import StoreDenied, StoreFailed

CONNECTIONS = 96  # as many as look, download and answer operators at once
SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"


def open_session(access: Access) -> AuthorizedSession:
    """Open a session for any number of threads, which tries once and follows no redirect.

    Raises StoreDenied `credentials_missing`, and what google.auth raises for a metadata server
    that does not answer. With an emulator the default is to send no credentials.
    """
    auth = access.gcs_auth
    if auth == "none" or (auth == "default" and access.gcs_emulator_url):
        return _session(AnonymousCredentials(), ())  # type: ignore[no-untyped-call]
    if auth == "bearer":
        return _session(_Bearer(_token_of(access)), (401,) if access.gcs_token_file else ())
    return _session(_default_credentials(), (401,))


def _session(credentials: Any, refreshed_at: tuple[int, ...]) -> AuthorizedSession:
    session = AuthorizedSession(  # type: ignore[no-untyped-call]
        credentials, refresh_status_codes=refreshed_at, max_refresh_attempts=1
    )
    adapter = HTTPAdapter(pool_connections=4, pool_maxsize=CONNECTIONS, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.max_redirects = 0
    return session


def _default_credentials() -> Any:
    try:
        return google.auth.default(scopes=(SCOPE,))[0]
    except (DefaultCredentialsError, OSError, ValueError):
        pass
    hint = (
        "run with workload identity or a service account, or set GOOGLE_APPLICATION_CREDENTIALS;"
        " for a public bucket set OFFLOADER_GCS_AUTH=none"
    )
    message = "there are no application default credentials for gs://"
    raise StoreDenied("credentials_missing", message, hint)


def _token_of(access: Access) -> Callable[[], str]:
    path, token = access.gcs_token_file, access.gcs_token
    if path:
        return lambda: _token_in(Path(path))
    if token:
        return lambda: token
    message, hint = "there is no bearer token for gs://", "set OFFLOADER_GCS_TOKEN, or its _FILE"
    raise StoreDenied("credentials_missing", message, hint)


def _token_in(path: Path) -> str:
    """Read a token; a file that is being replaced may be there again in a moment."""
    fault, text = read_secret(path)
    message = fault[1] if fault else ""
    try:
        if not fault:
            return checked_token(text.strip())
    except ValueError:
        message = "it holds no token"
    hint = "let the file that OFFLOADER_GCS_TOKEN_FILE names hold the token alone"
    raise StoreFailed("credentials_missing", f"the bearer token for gs://: {message}", hint)


class _Bearer(Credentials):
    """A token as credentials; there is no other way to refresh it than to read it again."""

    def __init__(self, token: Callable[[], str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._token = token

    def before_request(self, _request: Any, _method: Any, _url: Any, headers: Any) -> None:
        """Add the token to a request."""
        headers["authorization"] = f"Bearer {self._token()}"

    def refresh(self, _request: Any) -> None:
        """Do nothing: the next request reads the token again."""
