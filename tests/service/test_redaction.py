"""Redaction: known secrets in every form, others by their looks, and what is to be kept is kept."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offloader.service.known_secrets import known_secrets
from offloader.service.redacted_log import redacted_lines
from offloader.service.redaction import MASK, Redactor, forms, named_secrets
from tests.web.secret_hunt import leaks

SECRET = 'sk/9f+Zq"x=Tj é7-planted'
PLAIN = Redactor([])


@given(st.text(min_size=12, max_size=40), st.text(max_size=10), st.text(max_size=10))
def test_a_known_secret_stands_nowhere(secret: str, before: str, after: str) -> None:
    """Plain, percent-encoded, in JSON, hexadecimal, or in base64 amid other bytes."""
    secret = secret.strip().encode("utf-8", "ignore").decode()
    inside = (before + secret + after).encode("utf-8", "replace")
    written = [secret, json.dumps(secret), base64.b64encode(inside).decode(), inside.hex()]
    text = Redactor([secret]).text("\n".join(written))
    assert leaks({"it": secret}, {"text": text.encode("utf-8", "replace")}) == []


def test_each_form_is_masked() -> None:
    """Among them every one that a hunt for secrets looks for."""
    shown = Redactor([SECRET]).text(" ".join(sorted(forms(SECRET))))
    assert set(shown.split()) == {MASK}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:pw@host/a?sig=x&y=1 z", f"https://{MASK}@host/a?{MASK} z"),
        ("https://host/a?token", f"https://host/a?{MASK}"),
        ("https://host/a#access_token=x", f"https://host/a?{MASK}"),
        ('"gs://bucket/a?X-Goog-Signature=1"', f'"gs://bucket/a?{MASK}"'),
        ("GET /v1/endpoints/x?account_id=acct_1 200", f"GET /v1/endpoints/x?{MASK} 200"),
        ("part.parquet%3Fsig%3Dabc", f"part.parquet{MASK}"),
        ("Authorization: Bearer abc", f"Authorization: {MASK}"),
        ("'Cookie': 'a=b'", f"'Cookie': '{MASK}'"),
        ("sent bearer demo-acme-1", f"sent bearer {MASK}"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOi.sig_nature", MASK),
        ("key AKIAABCDEFGHIJKLMNOP!", f"key {MASK}!"),
        ("a" * 64, MASK),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE", MASK),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, shown: str) -> None:
    """Also when nobody knows it."""
    assert PLAIN.text(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "docs/operations/runbooks.md#bad-manifest",
        "2026-06-01T00:00:00Z_r0001",
        "2fdbcec486c5a0ef99847e877380438c",
        'offloader_requests_total{endpoint="usage_rows",status="200"} 12.0',
        "did you mean owner?",
        '{"tenant_column": "tenant_id", "hint": "set OFFLOADER_ADMIN_TOKEN, or a file"}',
        "gs://bucket/data/manifest.json does not exist",
    ],
)
def test_what_is_no_secret_is_kept(text: str) -> None:
    """Ids, links, metrics, hints, places."""
    assert PLAIN.text(text) == text


def test_checksums_are_kept_where_they_belong_and_known_hashes_nowhere() -> None:
    """A manifest has both; a key's hash is a secret that is known."""
    checksum, key = "1" * 64, "2" * 64
    assert Redactor([key]).text(f"{checksum} {key}", keep_hashes=True) == f"{checksum} {MASK}"


def test_names_are_masked_as_whole_words() -> None:
    """So a tenant called `acme` does not spoil other words; long names are also found encoded."""
    redactor = Redactor([], ["acme", "zephyr-corp"])
    assert redactor.text("acme, key_acme acmes") == f"{MASK}, key_{MASK} acmes"
    assert redactor.text(base64.b64encode(b"zephyr-corp").decode()).startswith(MASK)


def test_the_secrets_that_are_known(tmp_path: Path) -> None:
    """Of variables, of their files, of keys; a tenant called as a dataset is, is a public word."""
    file = tmp_path / "secret"
    file.write_text("from-a-file\n")
    environ = {"OFFLOADER_ADMIN_TOKEN": "tok", "OFFLOADER_S3_SECRET_FILE": str(file)}
    tenants = [("h1", "acme"), ("h2", "usage"), ("", "date"), ("", "Usage"), ("", None)]
    keys = [{"hash": one, "tenant": tenant} for one, tenant in tenants]
    dataset = {"id": "usage", "description": "of acme", "schema": [{"name": "usage_date"}]}
    documents = {"datasets": {"datasets/usage.yml": dataset}, "keys": {"keys": keys}}
    found = known_secrets({**environ, "AWS_SECRET_ACCESS_KEY": "aws"}, documents, [file])
    assert found.texts - {""} == {"tok", "from-a-file", "aws", "h1", "h2"}
    assert found.names == {"acme", "Usage"}


def test_secrets_of_a_file_that_is_not_yaml() -> None:
    """They are found by the words before them."""
    text = (
        "keys:\n - {id: a, hash: abc123, tenant: 'acme corp'}\n - hash: \"def\"\n   tenant: ~\n {"
    )
    assert named_secrets([text], ["hash"]) == {"abc123", "def"}
    assert named_secrets([text], ["tenant"]) == {"acme corp"}


def _lines(*lines: str, since: float | None = None) -> list[str]:
    redactor = Redactor(["known-secret"])
    return list(redacted_lines(lines, redactor, {"account_id", "dataset"}, since))


def test_lines_of_a_log() -> None:
    """What is ours stays; what is sent by callers, or by its name a secret, does not."""
    ours = {"level": "info", "event": "request", "dataset": "usage", "status": 200}
    theirs = {"account_id": "a1", "x": {"session": "s"}, "params": {"p": 1}, "key": "k"}
    (line,) = _lines(
        json.dumps({**ours, **theirs, "message": "known-secret region=eu account_id=7"})
    )
    assert json.loads(line) == {
        **ours,
        **{"account_id": MASK, "x": {"session": MASK}, "params": MASK, "key": MASK},
        "message": f"{MASK} region=eu account_id={MASK}",
    }
    assert _lines('12:00:00 warning x dataset=usage tenant=acme account_id="a b" ok=1') == [
        f"12:00:00 warning x dataset=usage tenant={MASK} account_id={MASK} ok=1"
    ]
    assert _lines("opaque Zm9vYmFyMTIzNDU2Nzg5MFpYWVphYmNkZWZnaGlqa2w") == [f"opaque {MASK}"]
    assert _lines("{ no json password: hunter2") == [f"{{ no json password: {MASK}"]


def test_lines_of_long_ago_are_left_out() -> None:
    """A line without a time belongs to the one before it."""
    lines = ("2026-06-01T00:00:00Z a", "  of a", '{"time": "2026-06-01T00:00:02.5Z"}', "  of b")
    at = 1_780_272_002.0
    assert _lines(*lines, since=at) == [lines[2], lines[3]]
    assert len(_lines(*lines)) == 4
