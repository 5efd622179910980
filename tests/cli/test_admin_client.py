"""Which instance a command asks, with which token, and what it says when that does not work."""

from __future__ import annotations

from pathlib import Path

import pytest

from offloader.cli.main import main
from tests.cli.answering import answering
from tests.web.admin_app import TOKEN, AdminApp, admin_app

Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize("words", [["status"], ["rebuild", "usage"]])
def test_the_token_may_stand_in_a_file(
    app: AdminApp, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Named on the command line, which wins, or by the variable."""
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text(TOKEN + "\n")
    bad.write_text("another")
    monkeypatch.setenv("OFFLOADER_ADMIN_TOKEN", "another")
    assert main(["snapshot", *words]) == 1
    assert main(["snapshot", *words, "--token-file", str(good)]) == 0
    monkeypatch.delenv("OFFLOADER_ADMIN_TOKEN")
    monkeypatch.setenv("OFFLOADER_ADMIN_TOKEN_FILE", str(good))
    assert main(["snapshot", *words]) == 0
    assert main(["snapshot", *words, "--token-file", str(bad)]) == 1


@pytest.mark.parametrize(
    ("environ", "code"),
    [
        ({}, "admin_token_missing"),
        ({"OFFLOADER_ADMIN_TOKEN": "a b"}, "admin_token_invalid"),
        ({"OFFLOADER_ADMIN_TOKEN": "a\r\nX-Evil: 1"}, "admin_token_invalid"),
        ({"OFFLOADER_ADMIN_TOKEN_FILE": "/nowhere/at/all"}, "secret_file_unreadable"),
        ({"OFFLOADER_ADMIN_TOKEN": "a", "OFFLOADER_ADMIN_TOKEN_FILE": "b"}, "secret_twice"),
    ],
)
def test_without_a_token_nothing_is_asked(
    app: AdminApp,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Captured,
    environ: dict[str, str],
    code: str,
) -> None:
    """Exit 2, with what to set."""
    monkeypatch.delenv("OFFLOADER_ADMIN_TOKEN")
    for name, text in environ.items():
        monkeypatch.setenv(name, text)
    assert main(["snapshot", "rollback", "usage"]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith(f"[{code}] ")
    assert "\n    hint: " in shown.err
    assert (shown.out, app.asked) == ("", [])


def test_a_wrong_token_is_told_apart_from_none_at_all(
    app: AdminApp, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """401 asks for the instance's token, 403 says that the instance has none."""
    monkeypatch.setenv("OFFLOADER_ADMIN_TOKEN", "another")
    assert main(["snapshot", "unpin", "usage"]) == 1
    assert "hint: the token is not this instance's OFFLOADER_ADMIN_TOKEN" in capsys.readouterr().err
    with admin_app(token=None) as tokenless:
        url = f"http://127.0.0.1:{tokenless.address[1]}/"
        assert main(["snapshot", "status", "--admin-url", url]) == 1
    assert "hint: start the instance with OFFLOADER_ADMIN_TOKEN set" in capsys.readouterr().err


def test_an_instance_that_is_away_is_named(
    app: AdminApp, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """Nobody at the port: the URL, and what to do."""
    monkeypatch.setenv("OFFLOADER_ADMIN_PORT", "1")
    assert main(["snapshot", "status"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("[instance_unreachable] http://127.0.0.1:1 does not answer: ")
    assert "--admin-url" in err


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}",
        b"nonsense\r\n\r\n",
        b"",
    ],
)
def test_what_is_no_admin_port_is_named(app: AdminApp, capsys: Captured, answer: bytes) -> None:
    """Whatever else listens there: exit 1 and one error, no traceback."""
    with answering(answer) as (url, _):
        assert main(["snapshot", "pin", "usage", "--admin-url", url]) == 1
    code = capsys.readouterr().err.split("]")[0]
    assert code in ("[instance_answer_invalid", "[instance_unreachable")


def test_the_token_goes_nowhere_else(
    app: AdminApp, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """No redirect is followed, and no proxy is used."""
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as (elsewhere, stolen):
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, elsewhere)
        for status in (b"301", b"307", b"308"):
            redirect = b"HTTP/1.1 %s Moved\r\nLocation: %s/\r\nContent-Length: 0\r\n\r\n"
            with answering(redirect % (status, elsewhere.encode())) as (url, heard):
                assert main(["snapshot", "status", "--admin-url", url]) == 1
                assert f"Bearer {TOKEN}".encode() in heard[0]
        assert "status" not in capsys.readouterr().out
        assert stolen == []
