"""How far a build is: told by the builder before its outcome, and logged now and then."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from threading import Event
from typing import Any

import pyarrow as pa
import pytest

from offloader.service.builder.job import Builder
from offloader.service.builder.progress import Progress, ProgressLog, read_progress, telling

LIMIT_SECONDS = 30.0
TOLD = {
    "dataset": "usage",
    "snapshot": "s1",
    "stage": "reading",
    "rows": 5,
    "bytes": 0,
    "percent": 1.5,
}


@pytest.fixture
def parts(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "one", tmp_path / "two"


def tables(*rows: int) -> Iterator[pa.Table]:
    return iter(pa.table({"a": range(count)}) for count in rows)


def shown(progress: Progress) -> tuple[str, int, int, float | None]:
    told = progress.as_document()
    assert (told.pop("dataset"), told.pop("snapshot")) == ("usage", "s1")
    return told["stage"], told["rows"], told["bytes"], told["percent"]


def test_each_part_counts_as_much_as_reading_all_rows(parts: tuple[Path, Path]) -> None:
    """So the percentage never goes back, and ends at 100."""
    progress = Progress()
    progress.begin("usage", "s1", 100, parts)
    assert shown(progress) == ("reading", 0, 0, 0.0)
    progress.add_bytes(700)
    assert shown(progress) == ("downloading", 0, 700, 0.0)
    counted = progress.counted(tables(40, 60))
    next(counted)
    assert shown(progress) == ("downloading", 0, 700, 0.0)
    next(counted)
    assert shown(progress) == ("reading", 40, 700, 13.3)
    assert list(counted) == []
    assert shown(progress) == ("writing", 100, 700, 33.3)
    parts[0].touch()
    assert shown(progress) == ("writing", 100, 700, 66.7)
    parts[1].touch()
    assert shown(progress) == ("writing", 100, 700, 100.0)


def test_what_was_read_before_need_not_be_read_again(parts: tuple[Path, Path]) -> None:
    """A build that only adds a part begins where the one before ended."""
    parts[0].touch()
    progress = Progress()
    progress.begin("usage", "s1", 100, parts)
    assert shown(progress) == ("writing", 0, 0, 66.7)


def test_a_second_try_counts_anew(parts: tuple[Path, Path]) -> None:
    """Rows that were read in vain are not counted twice; bytes have come all the same."""
    progress = Progress()
    for _ in range(2):
        progress.begin("usage", "s1", 10, parts)
        progress.add_bytes(5)
        assert len(list(progress.counted(tables(10)))) == 1
    assert shown(progress) == ("writing", 10, 10, 33.3)


def test_of_no_rows_there_is_no_percentage(parts: tuple[Path, Path]) -> None:
    """Nor a division by zero."""
    progress = Progress()
    progress.begin("usage", "s1", 0, parts)
    assert shown(progress) == ("reading", 0, 0, None)


def test_lines_come_while_the_block_runs_and_not_behind_it(parts: tuple[Path, Path]) -> None:
    """The outcome is the last line of a job: what came after it would be taken for the next."""
    progress, lines, has_two = Progress(), list[str](), Event()
    progress.begin("usage", "s1", 10, parts)

    def write(line: str) -> None:
        lines.append(line)
        if len(lines) == 2:
            has_two.set()

    with telling(progress, write, seconds=0.001):
        assert has_two.wait(LIMIT_SECONDS)
    count = len(lines)
    assert not Event().wait(0.02)
    assert len(lines) == count
    assert read_progress(lines[0].encode()) == progress.as_document()


def test_before_the_build_begins_there_is_nothing_to_tell() -> None:
    """Such as in a job that only describes files."""
    lines: list[str] = []
    with telling(Progress(), lines.append, seconds=0.001):
        Event().wait(0.02)
    assert lines == []


@pytest.mark.parametrize(
    "line", [b"", b'{"ok": true}', b'{"progress"', b'{"progressing": 1}', b'{"progress": {"a": 1']
)
def test_other_lines_are_outcomes(line: bytes) -> None:
    """Also one that broke off."""
    assert read_progress(line) is None


def test_it_is_logged_ever_less_often(caplog: pytest.LogCaptureFixture) -> None:
    """At most every five seconds, and of a long build in every tenth of its time."""
    now = 100.0
    log = ProgressLog(lambda: now)
    caplog.set_level(logging.INFO)
    logged: list[int] = []
    for number in range(1, 1200):
        now = 100.0 + 5 * number
        log.note(TOLD)
        if len(caplog.records) > len(logged):
            logged.append(5 * number)
    assert logged[:17] == [5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 90]
    assert len(logged) == 61
    assert all(later - one <= 0.1 * one + 5 for one, later in pairwise(logged))
    fields: dict[str, Any] = caplog.records[0].__dict__["fields"]
    assert fields == {**TOLD, "seconds": 5.0}


def test_the_builder_is_heard_while_it_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of progress are told one by one, glued to the outcome or not; the outcome is found."""
    script = """
import json, os, sys
for line in sys.stdin:
    told = [json.dumps({"progress": {"rows": n}}) for n in range(3)]
    outcome = json.dumps({"ok": True, "peak_bytes": 0, "written_bytes": json.loads(line)["size"]})
    text = "\\n".join([*told, outcome]) + "\\n"
    at = 7 if json.loads(line)["size"] == 1 else len(text)
    os.write(1, text[:at].encode())
    os.write(1, text[at:].encode())
"""
    _replace_process(monkeypatch, script)
    told: list[Any] = []
    with Builder() as builder:
        for size in (1, 2, 3):
            outcome = builder.outcome(
                {"size": size}, limit_seconds=LIMIT_SECONDS, on_progress=told.append
            )
            assert outcome["written_bytes"] == size
    assert told == [{"rows": n} for n in range(3)] * 3


def _replace_process(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    start = subprocess.Popen

    def replaced(_command: list[str], **named: Any) -> subprocess.Popen[bytes]:
        return start([sys.executable, "-c", script], **named)

    monkeypatch.setattr("offloader.service.builder.job.subprocess.Popen", replaced)


def test_a_progress_line_is_json() -> None:
    """As the module says."""
    assert read_progress(json.dumps({"progress": TOLD}).encode()) == TOLD
