"""Whose name requests to GCS are made in."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import google.auth
import google.auth.exceptions
import pytest
from google.auth.credentials import Credentials

from offloader.errors import SourceUnavailable
from offloader.stores import gcs
from offloader.stores.access import Access
from offloader.stores.gcs import GcsStore
from offloader.stores.gcs_auth import SCOPE
from offloader.stores.store import StoreDenied, StoredObject, StoreFailed
from tests.stores.answering import Answering, answer_of, answering
from tests.stores.subject import code_of

ERRORS: Any = google.auth.exceptions
FOUND = StoredObject("key", 5, "77", 0.0)


@pytest.fixture
def server() -> Iterator[Answering]:
    """Run a server in whose bucket every object is `bytes`."""
    with answering() as running:
        running.answer = lambda _: answer_of(200, b"bytes")
        yield running


def read(access: Access) -> bytes:
    """Read an object."""
    return b"".join(GcsStore.open("bucket", access).read(FOUND))


def names(server: Answering) -> list[str | None]:
    """Return what the requests so far said of who asks."""
    return [asked.headers.get("authorization") for asked in server.asked]


@pytest.mark.parametrize("auth", ["default", "none"])
def test_an_emulator_is_asked_by_nobody(server: Answering, auth: str) -> None:
    """With an emulator no credentials are looked for or sent, unless a token is."""
    assert read(Access(gcs_auth=auth, gcs_emulator_url=server.url)) == b"bytes"
    assert names(server) == [None]


def test_a_token_is_sent(server: Answering) -> None:
    """A bearer token goes with each request."""
    access = Access(gcs_auth="bearer", gcs_token="t0ken", gcs_emulator_url=server.url)
    assert read(access) == b"bytes"
    assert names(server) == ["Bearer t0ken"]


def test_a_token_file_is_read_for_each_request(server: Answering, tmp_path: Path) -> None:
    """A token that was replaced in its file is used from the next request on."""
    path = tmp_path / "token"
    path.write_text("one\n")
    access = Access(
        gcs_auth="bearer", gcs_token="old", gcs_token_file=str(path), gcs_emulator_url=server.url
    )
    store = GcsStore.open("bucket", access)
    list(store.read(FOUND))
    path.write_text("two")
    list(store.read(FOUND))
    assert names(server) == ["Bearer one", "Bearer two"]


def test_a_refused_token_is_read_again_once(server: Answering, tmp_path: Path) -> None:
    """A token that ran out between reading and asking is read once more, then it is refused."""
    path = tmp_path / "token"
    path.write_text("one")
    server.answer = lambda _: answer_of(401)
    access = Access(gcs_auth="bearer", gcs_token_file=str(path), gcs_emulator_url=server.url)
    assert code_of(StoreDenied, read, access) == "store_denied"
    assert names(server) == ["Bearer one", "Bearer one"]


@pytest.mark.parametrize("content", [None, "", "two words\n", "a\nb", "t\u00f6ken"])
def test_a_bad_token_file_is_told_and_not_sent(
    server: Answering, tmp_path: Path, content: str | None
) -> None:
    """A token file that is missing or holds no token fails, which may pass: it may be replaced."""
    path = tmp_path / "token"
    if content is not None:
        path.write_text(content)
    access = Access(gcs_auth="bearer", gcs_token_file=str(path), gcs_emulator_url=server.url)
    with pytest.raises(StoreFailed) as raised:
        read(access)
    assert (type(raised.value), raised.value.code) == (StoreFailed, "credentials_missing")
    assert "words" not in str(raised.value)
    assert server.asked == []


def test_without_a_token_a_bearer_is_refused() -> None:
    """Bearer without a token is a matter of configuration."""
    assert code_of(StoreDenied, read, Access(gcs_auth="bearer")) == "credentials_missing"


def test_missing_default_credentials_say_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without default credentials the first call says which ways there are to give them."""

    def missing(**_: Any) -> None:
        raise ERRORS.DefaultCredentialsError("words of the library")

    monkeypatch.setattr(google.auth, "default", missing)
    store = GcsStore.open("bucket", Access())
    with pytest.raises(StoreDenied) as raised:
        store.stat("key")
    assert raised.value.code == "credentials_missing"
    assert "GOOGLE_APPLICATION_CREDENTIALS" in raised.value.hint
    assert "OFFLOADER_GCS_AUTH=none" in raised.value.hint
    assert "words" not in str(raised.value)


class Renewed(Credentials):
    """Credentials whose tokens are numbered, or that fail to get one."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.error, self.count = error, 0

    def refresh(self, _request: Any) -> None:
        """Get the next token."""
        if self.error:
            raise self.error
        self.count += 1
        self.token = f"token-{self.count}"
        self.expiry = datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=1)


def with_default(monkeypatch: pytest.MonkeyPatch, server: Answering, found: Renewed) -> Access:
    """Let default credentials be found, and the real endpoint be a server of ours."""

    def default(scopes: tuple[str, ...]) -> tuple[Renewed, str]:
        assert scopes == (SCOPE,)
        return found, "project"

    monkeypatch.setattr(google.auth, "default", default)
    monkeypatch.setattr(gcs, "ENDPOINT", server.url)
    return Access()


def test_default_credentials_are_renewed_when_refused(
    server: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token is kept until it is refused, then one is got anew and the request made again."""
    access = with_default(monkeypatch, server, Renewed())
    store = GcsStore.open("bucket", access)
    list(store.read(FOUND))
    refused = [answer_of(401)]
    server.answer = lambda _: refused.pop() if refused else answer_of(200, b"bytes")
    assert b"".join(store.read(FOUND)) == b"bytes"
    assert names(server) == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]


def test_a_refused_upload_is_sent_again_whole(
    server: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write whose token had run out sends all of its content again."""
    access = with_default(monkeypatch, server, Renewed())
    said = [answer_of(200, b'{"crc32c":"yZRlqg=="}'), answer_of(401)]
    server.answer = lambda _: said.pop()
    GcsStore.open("bucket", access).write("key", io.BytesIO(b"hello world"), 11)
    lengths = [asked.headers["content-length"] for asked in server.asked]
    assert lengths[0] == lengths[1]
    assert names(server) == ["Bearer token-1", "Bearer token-2"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ERRORS.RefreshError("secret words"), "store_denied"),
        (ERRORS.RefreshError("secret words", retryable=True), "store_unreachable"),
        (ERRORS.TransportError("secret words"), "store_unreachable"),
    ],
)
def test_a_token_that_cannot_be_had(
    server: Answering, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    """A token service that says no is a refusal, one that is silent may answer later."""
    access = with_default(monkeypatch, server, Renewed(error))
    with pytest.raises(SourceUnavailable) as raised:
        read(access)
    assert raised.value.code == code
    assert "secret words" not in str(raised.value)
    assert server.asked == []


def test_the_environment_of_the_process_decides_nothing(
    server: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Google's client reads STORAGE_EMULATOR_HOST itself; only what was passed in counts."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    server.answer = lambda _: answer_of(
        200, b'{"name":"key","size":"5","generation":"7","timeCreated":"2026-01-01T00:00:00Z"}'
    )
    assert GcsStore.open("b", Access(gcs_emulator_url=server.url)).stat("key").size_bytes == 5
    access = with_default(monkeypatch, server, Renewed())
    assert GcsStore.open("b", access).stat("key").version == "7"
    assert names(server) == [None, "Bearer token-1"]
