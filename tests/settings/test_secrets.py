"""A secret may be a file, and is never shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from offloader.errors import ConfigError
from offloader.settings.settings import VARIABLES, read_settings
from tests.settings.environments import GIB, SECRETS, read, refused


@pytest.mark.parametrize("name", SECRETS)
def test_every_secret_may_be_a_file(tmp_path: Path, name: str) -> None:
    """The file's last line end is dropped; both forms at once are refused."""
    (tmp_path / "secret").write_bytes(b"s3cret\r\n")
    environ = {"OFFLOADER_CONFIG": "/p", "OFFLOADER_S3_KEY_ID": "k", "OFFLOADER_S3_SECRET": "k"}
    environ |= {"OFFLOADER_GCS_AUTH": "bearer", "OFFLOADER_GCS_TOKEN": "k"}
    environ.pop(name, None)
    environ[f"{name}_FILE"] = str(tmp_path / "secret")
    settings, warnings = read_settings(environ, is_terminal=False, cpus=1, memory_bytes=GIB)
    field = next(v.field for v in VARIABLES if v.name == name)
    assert (getattr(settings, field), warnings) == ("s3cret", ())
    assert "s3cret" not in repr(settings)
    with pytest.raises(ConfigError) as refusal:
        read_settings({**environ, name: "x"}, is_terminal=False, cpus=1, memory_bytes=GIB)
    assert [(p.path, p.code) for p in refusal.value.problems] == [(f"{name}_FILE", "secret_twice")]


def test_a_secret_file_is_bounded(tmp_path: Path) -> None:
    """Missing, special, large, empty and undecodable files have their own codes."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"x" * 65_537)
    (tmp_path / "empty").write_bytes(b"\n")
    (tmp_path / "bytes").write_bytes(b"\xff")
    codes = {
        "nothing": "secret_file_unreadable",
        "pipe": "secret_file_unreadable",
        ".": "secret_file_unreadable",
        "large": "secret_file_too_large",
        "empty": "secret_file_invalid",
        "bytes": "secret_file_invalid",
    }
    for name, code in codes.items():
        found = refused(ADMIN_TOKEN_FILE=str(tmp_path / name))
        assert found == [("ADMIN_TOKEN_FILE", code)]
    assert refused(ADMIN_TOKEN_FILE="a\0b") == [("ADMIN_TOKEN_FILE", "secret_file_unreadable")]


def test_no_secret_is_shown() -> None:
    """Neither the settings' repr nor a problem repeats a secret or a URL's password."""
    secrets = {name.removeprefix("OFFLOADER_"): "hidden-value" for name in SECRETS}
    settings = read(**secrets, GCS_AUTH="bearer")
    assert "hidden-value" not in repr(settings)
    for name in SECRETS:
        with pytest.raises(ConfigError) as refusal:
            read(**{**secrets, name.removeprefix("OFFLOADER_"): "hidden value"})
        assert "hidden" not in "".join(map(str, refusal.value.problems))
    with pytest.raises(ConfigError) as refusal:
        read(S3_ENDPOINT="https://me:hidden@host/x")
    assert "hidden" not in str(refusal.value.problems[0])


def test_the_file_of_a_token_is_told(tmp_path: Path) -> None:
    """Where a token's file lies is known, so that it can be read again; unset it is nothing."""
    path = tmp_path / "token"
    path.write_text("t0ken\n", encoding="utf-8")
    settings = read(GCS_AUTH="bearer", GCS_TOKEN_FILE=str(path))
    assert (settings.gcs_token, settings.gcs_token_file) == ("t0ken", str(path))
    assert read(GCS_AUTH="bearer", GCS_TOKEN="t", GCS_TOKEN_FILE="").gcs_token_file is None
