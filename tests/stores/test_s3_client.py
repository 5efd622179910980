"""Whose name requests to S3 are made in, and where they go."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from offloader.errors import SourceUnavailable
from offloader.stores.access import Access
from offloader.stores.s3 import S3Store
from offloader.stores.store import StoreDenied, StoredObject
from tests.stores.answering import Answering, answer_of, answering
from tests.stores.subject import code_of

FOUND = StoredObject("key", 5, '"77"', 0.0)
_SCOPE = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/s3/")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Answering]:
    """Run a server in whose buckets every object is `bytes`, on a machine without credentials."""
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with answering() as running:
        range_said = {"etag": '"77"', "content_range": "bytes 0-4/5", "connection": "close"}
        running.answer = lambda _: answer_of(206, b"bytes", None, **range_said)
        yield running


def read(server: Answering, **access: str) -> tuple[str, str] | None:
    """Read an object; return the key id and the region that the request was signed with."""
    store = S3Store.open("bucket", Access(s3_endpoint=server.url, **access))  # type: ignore[arg-type]
    assert b"".join(store.read(FOUND)) == b"bytes"
    match = _SCOPE.search(server.asked[-1].headers.get("authorization", ""))
    return (match[1], match[2]) if match else None


def test_a_key_is_used_before_the_chain(server: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key of the settings goes first, with its session token if there is one."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "other")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "other")
    assert read(server, s3_key_id="mine", s3_secret="s") == ("mine", "us-east-1")
    assert "x-amz-security-token" not in server.asked[-1].headers
    read(server, s3_key_id="mine", s3_secret="s", s3_session_token="t0ken")
    assert server.asked[-1].headers["x-amz-security-token"] == "t0ken"


def test_the_chain_has_environment_and_files(
    server: Answering, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without a key the standard chain is gone along: a profile's file, the environment first."""
    lines = ["[default]", "aws_access_key_id=filed", "aws_secret_access_key=s"]
    (tmp_path / "credentials").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "config").write_text("[default]\nregion=eu-west-3\n", encoding="utf-8")
    assert read(server) == ("filed", "eu-west-3")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "environ")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    assert read(server) == ("environ", "eu-west-3")
    assert read(server, s3_region="eu-north-1") == ("environ", "eu-north-1")


def test_nobody_asks_without_authentication(server: Answering) -> None:
    """OFFLOADER_S3_AUTH=none signs nothing and looks for no credentials."""
    assert read(server, s3_auth="none") is None


def test_no_credentials_are_told_with_what_to_do(server: Answering) -> None:
    """A chain that ends without credentials is a refusal, which the next call looks at anew."""
    store = S3Store.open("bucket", Access(s3_endpoint=server.url))
    for _ in range(2):
        assert code_of(StoreDenied, store.stat, "key") == "credentials_missing"
    with pytest.raises(StoreDenied) as refusal:
        store.stat("key")
    assert "OFFLOADER_S3_AUTH=none" in refusal.value.hint
    assert server.asked == []


def test_credentials_that_come_later_are_found(server: Answering, tmp_path: Path) -> None:
    """A store that was opened before there were credentials works once there are."""
    store = S3Store.open("bucket", Access(s3_endpoint=server.url))
    assert code_of(StoreDenied, store.stat, "key") == "credentials_missing"
    lines = ["[default]", "aws_access_key_id=filed", "aws_secret_access_key=s"]
    (tmp_path / "credentials").write_text("\n".join(lines), encoding="utf-8")
    assert b"".join(store.read(FOUND)) == b"bytes"


def test_a_profile_that_is_not_there_is_told(
    server: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What AWS_* variables say wrongly is a refusal that names the kind of mistake only."""
    monkeypatch.setenv("AWS_PROFILE", "s3cret")
    with pytest.raises(SourceUnavailable) as refusal:
        S3Store.open("bucket", Access(s3_endpoint=server.url)).stat("key")
    assert refusal.value.code == "store_misconfigured"
    assert refusal.value.message == "s3://bucket cannot be asked: ProfileNotFound"


def test_an_endpoint_has_buckets_in_its_paths(server: Answering) -> None:
    """Compatible stores are asked at their own host, the bucket in the path, for one object."""
    read(server, s3_auth="none")
    asked = server.asked[-1]
    assert (asked.method, asked.target) == ("GET", "/bucket/key")
    assert asked.headers["host"] == server.url.removeprefix("http://")
    assert (asked.headers["if-match"], asked.headers["range"]) == ('"77"', "bytes=0-4")
    assert "x-amz-checksum-mode" not in asked.headers


def test_a_role_whose_service_fails_is_told(
    server: Answering, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A web identity that the token service refuses is a refusal, without its words."""
    (tmp_path / "token").write_text("s3cret", encoding="utf-8")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/reader")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
    body = b"<ErrorResponse><Error><Code>InvalidIdentityToken</Code></Error></ErrorResponse>"
    server.answer = lambda _: answer_of(400, body, connection="close")
    store = S3Store.open("bucket", Access(s3_endpoint=server.url))
    with pytest.raises(SourceUnavailable) as refusal:
        store.stat("key")
    assert refusal.value.code == "store_denied"
    assert refusal.value.message == "s3://bucket: not allowed to get credentials for it"
    assert len(server.asked) == 1
