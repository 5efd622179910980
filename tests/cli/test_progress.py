"""Long work says how it goes, on stderr, and gets out of the way of what is printed after it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from itertools import count
from types import SimpleNamespace

import pytest

from offloader.cli.progress import with_progress

SECONDS = 60.0


def looking(texts: list[str], enough: threading.Event) -> Callable[[], str]:
    """Return a look that says one text after the other, then sets `enough`."""
    left: Iterator[str] = iter(texts)

    def look() -> str:
        text = next(left, texts[-1])
        if text == texts[-1]:
            enough.set()
        return text

    return look


def shown(texts: list[str]) -> int:
    """Run work that ends once all texts were looked at."""
    enough = threading.Event()

    def work() -> int:
        assert enough.wait(SECONDS)
        return 7

    return with_progress(work, looking(texts, enough), quiet_seconds=0.001, every_seconds=0.001)


def test_what_is_quick_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """The result comes back, or what was raised."""
    assert with_progress(lambda: 7, lambda: "never", quiet_seconds=SECONDS) == 7
    with pytest.raises(ZeroDivisionError):
        with_progress(lambda: 1 // 0, lambda: "never", quiet_seconds=SECONDS)
    assert capsys.readouterr() == ("", "")


def test_off_a_terminal_each_news_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """What was said already is not said again."""
    assert shown(["waiting", "waiting", "building", "active"]) == 7
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[:2] == ["waiting", "building"]
    assert err.splitlines()[2:] in ([], ["active"])


def test_a_terminal_has_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is written over, counts the seconds, and is gone in the end."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    seconds = count()
    clock = SimpleNamespace(monotonic=lambda: next(seconds))
    monkeypatch.setattr("offloader.cli.progress.time", clock)
    shown(["waiting", "building", "active"])
    err = capsys.readouterr().err
    assert "\n" not in err
    assert err.startswith("\r\x1b[Kwaiting (1 s)\r\x1b[Kbuilding (2 s)")
    assert err.endswith("\r\x1b[K")
