"""`offloader cache` as a person and as a script call it, on volumes that no service uses."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from offloader.cli.main import main
from offloader.service.cache import Cache
from offloader.service.instance import Instance, claim
from offloader.service.quarantine import marks
from tests.service.volumes import (
    digest,
    names,
    served_volume,
)

AT_SECONDS = 1_780_272_000.0
AT = "2026-06-01T00:00:00Z"


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return served_volume(tmp_path / "cache")


def called(cache: Cache, *words: str) -> int:
    """Run one command on a volume as the command line would."""
    return main(["cache", words[0], "--cache-dir", str(cache.root), *words[1:]])


def answered(capsys: pytest.CaptureFixture[str]) -> Any:
    """Return the one JSON object on stdout."""
    (line,) = capsys.readouterr().out.splitlines()
    return json.loads(line)


def flip(path: Path) -> None:
    """Damage a file in its middle."""
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def test_a_snapshot_is_quarantined(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    """The active one, or the one that is named; both forms say what was done."""
    assert called(cache, "quarantine", "usage", "--reason", "wrong numbers") == 0
    assert capsys.readouterr().out == (
        "usage: s2 is not served again until it is accepted\n"
        "usage: 2 parts put away; a newer one must be published\n"
    )
    words = ("quarantine", "usage", "--snapshot", "s1", "--reason", "worse", "--json")
    assert called(cache, *words) == 0
    assert answered(capsys) == {"ok": True, "snapshots": ["s1"], "parts": [digest(10)]}
    assert [(one.snapshot_id, one.reason) for one in marks(cache, "usage")] == [
        ("s2", "wrong numbers"),
        ("s1", "worse"),
    ]


def test_only_parts_are_put_away(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is marked."""
    assert called(cache, "quarantine", "usage", "--parts-only", "--reason", "damaged") == 0
    assert capsys.readouterr().out == "usage: 2 parts put away; the next start builds them again\n"
    assert marks(cache, "usage") == ()


@pytest.mark.parametrize("words", [("quarantine", "usage", "--reason", "x"), ("clear", "--yes")])
def test_a_running_service_is_left_alone(
    cache: Cache, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 1 and the commands to use instead; nothing is touched."""
    instance: Instance = claim(cache)
    assert called(cache, *words) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "[cache_in_use]" in shown.err
    assert "offloader snapshot quarantine" in shown.err
    assert called(cache, *words, "--json") == 1
    assert answered(capsys)["error"]["code"] == "cache_in_use"
    assert len(names(cache.part("usage", "x").parent)) == 3
    instance.release()
    assert called(cache, *words) == 0


def test_clear_asks_on_a_terminal(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only yes removes anything; the question is not on stdout."""
    for answer, code, left in (("\n", 1, 3), ("n\n", 1, 3), ("", 1, 3), ("y\n", 0, 0)):
        stream = io.StringIO(answer)
        stream.isatty = lambda: True  # type: ignore[method-assign]
        monkeypatch.setattr("sys.stdin", stream)
        assert called(cache, "clear") == code
        shown = capsys.readouterr()
        assert shown.err == f"Remove what was built of usage from {cache.root}? [y/N] "
        assert shown.out.startswith("nothing was" if code else "3 files removed, 1.2 KiB")
        assert len(list(cache.root.glob("segments/*/*"))) == left


def test_clear_elsewhere_needs_yes(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    """A script that forgets it removes nothing."""
    assert called(cache, "clear", "--json") == 2
    assert answered(capsys) == {
        "ok": False,
        "error": {
            "code": "confirmation_missing",
            "message": "this removes built files, and there is nobody to ask",
            "hint": "add --yes",
        },
    }
    assert called(cache, "clear", "usage", "--yes", "--json") == 0
    found = answered(capsys)
    assert (found["ok"], found["files"], found["errors"]) == (True, 3, [])
    assert found["bytes"] > 3 * 64


def test_clear_empties_the_quarantine_if_asked(
    cache: Cache, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a word about it, what was put away stays; marks always do."""
    assert called(cache, "quarantine", "usage", "--reason", "x") == 0
    assert called(cache, "clear", "--yes") == 0
    assert len(names(cache.quarantine_of("usage"))) == 5
    assert called(cache, "clear", "--yes", "--quarantine") == 0
    assert names(cache.quarantine_of("usage")) == {f"{digest(2)}.snapshot"}
    assert capsys.readouterr().out.splitlines()[-1].startswith("4 files removed")


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("clear", "usege", "--yes"), "unknown_dataset", "did you mean usage?"),
        (("quarantine", "nothing", "--reason", "x"), "unknown_dataset", "known: usage"),
        (("quarantine", "usage", "--reason", " "), "reason_missing", "say why"),
        (("quarantine", "usage", "--reason", "x", "--snapshot", "s9"), "unknown_snapshot", "s"),
    ],
)
def test_what_is_not_there_is_told(
    cache: Cache, words: tuple[str, ...], code: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2 with a code and a hint that helps; nothing is changed."""
    assert called(cache, *words) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"[{code}] ")
    assert text in shown.err
    assert len(names(cache.part("usage", "x").parent)) == 3


def test_the_folder_comes_from_the_environment(
    cache: Cache,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """OFFLOADER_CACHE_DIR, unless --cache-dir says another; a folder that is none is told."""
    monkeypatch.setenv("OFFLOADER_CACHE_DIR", str(tmp_path))
    assert main(["cache", "status"]) == 2
    assert capsys.readouterr().err == (
        f"[cache_missing] {tmp_path} is not a cache volume"
        " (name the folder with --cache-dir or OFFLOADER_CACHE_DIR)\n"
    )
    assert called(cache, "status") == 0
    monkeypatch.setenv("OFFLOADER_CACHE_DIR", str(cache.root))
    assert main(["cache", "status"]) == 0
