"""`offloader snapshot` as operators and scripts call it, against the real admin routes."""

from __future__ import annotations

import json

import pytest

from offloader.cli.main import main
from offloader.cli.snapshot_status import age_text, printable
from offloader.service.actions import Action, Result
from tests.web.admin_app import DONE, TOKEN, AdminApp

Captured = pytest.CaptureFixture[str]
BY = "17d6bfe05d1b"


@pytest.mark.parametrize(
    ("words", "action"),
    [
        (["refresh", "usage"], Action("refresh", "usage", BY)),
        (["refresh", "usage", "--accept"], Action("refresh", "usage", BY, accept=True)),
        (["rollback", "usage"], Action("rollback", "usage", BY)),
        (["rollback", "usage", "--reason", "bad"], Action("rollback", "usage", BY, reason="bad")),
        (["pin", "usage"], Action("pin", "usage", BY)),
        (["pin", "usage", "s:1"], Action("pin", "usage", BY, "s:1")),
        (
            ["pin", "usage", "s1", "--accept", "--reason", "r"],
            Action("pin", "usage", BY, "s1", "r", accept=True),
        ),
        (["unpin", "usage", "--accept"], Action("unpin", "usage", BY, accept=True)),
        (["rebuild", "usage"], Action("rebuild", "usage", BY)),
        (["quarantine", "usage", "s1"], Action("quarantine", "usage", BY, "s1")),
    ],
)
def test_each_action_is_carried_out(app: AdminApp, words: list[str], action: Action) -> None:
    """What is written on the command line is what the reloader is asked."""
    assert main(["snapshot", *words, "--wait", "5"]) == 0
    assert app.asked == [action]


@pytest.mark.parametrize(
    ("result", "code", "out", "err"),
    [
        (DONE, 0, "done: as wished (s1 -> s2, generation 7)\n", ""),
        (Result("unchanged", "same", "", "", "s1", "s1"), 0, "unchanged: same\n", ""),
        (
            Result("refused", "no", "pin_needs_accept", "add --accept", "s1", "s1"),
            1, "", "refused: [pin_needs_accept] no\n    hint: add --accept\n",
        ),
        (Result("failed", "x\n\x1b[2J", "internal"), 1, "", "failed: [internal] x\\n\\x1b[2J\n"),
    ],
)  # fmt: skip
def test_what_came_of_it(
    app: AdminApp, capsys: Captured, result: Result, code: int, out: str, err: str
) -> None:
    """What is as wished goes to stdout and exits 0, the rest to stderr with a remedy and 1."""
    app.answer = result
    assert main(["snapshot", "unpin", "usage"]) == code
    assert capsys.readouterr() == (out, err)


def test_what_takes_longer_exits_1(app: AdminApp, capsys: Captured) -> None:
    """Pending: the message says where to look."""
    app.answer = None
    assert main(["snapshot", "refresh", "usage", "--wait", "0"]) == 1
    assert capsys.readouterr().err == ("pending: it goes on: /diagnostics shows what comes of it\n")


def test_json_is_one_object(app: AdminApp, capsys: Captured) -> None:
    """The route's answer as it is, or the error; nothing on stderr."""
    app.answer = Result("refused", "no", "pinned", "unpin it")
    assert main(["snapshot", "refresh", "usage", "--json"]) == 1
    out, err = capsys.readouterr()
    assert (json.loads(out)["outcome"], json.loads(out)["code"], err) == ("refused", "pinned", "")
    assert main(["snapshot", "refresh", "absent", "--json"]) == 1
    out, err = capsys.readouterr()
    assert (json.loads(out)["error"]["code"], err) == ("unknown_dataset", "")


def test_status_is_a_table(app: AdminApp, capsys: Captured) -> None:
    """One row a dataset, and below it the last error with its remedy."""
    app.made.tell(
        usage={
            "is_ok": False,
            "previous": {"snapshot_id": "s0", "watermark": 0, "created_at": 0},
            "pin": {"snapshot_id": "s1", "by": "operator"},
            "rolled_back": ["s2", "s3"],
            "quarantined_snapshots": [{"snapshot_id": "s4", "reason": "r", "at": 1.0}],
            "attempt": {
                "snapshot_id": "s5", "code": "too_few_rows", "message": "3 rows",
                "hint": "publish more", "at": 1.0,
            },
        }
    )  # fmt: skip
    assert main(["snapshot", "status"]) == 0
    heading, row, *error = capsys.readouterr().out.splitlines()
    assert heading.split("  ")[0] == "DATASET"
    cells = [cell for cell in row.split("  ") if cell]
    assert cells[3].endswith(" d")
    assert [cell.strip() for cell in cells[:3] + cells[4:]] == [
        "usage", "refresh_failing", "s1", "s0", "s1 by operator", "s3 +1", "s4",
    ]  # fmt: skip
    assert error == ["usage: s5 [too_few_rows] 3 rows", "    hint: publish more"]
    app.made.tell(usage={})
    assert main(["snapshot", "status", "usage"]) == 0
    _, row = capsys.readouterr().out.splitlines()
    assert row.split()[0:3] == ["usage", "active", "s1"]
    assert row.split()[-4:] == ["-", "-", "-", "-"]


def test_status_as_json_holds_what_diagnostics_say(app: AdminApp, capsys: Captured) -> None:
    """By dataset; one that is not there is named, with those that are."""
    assert main(["snapshot", "status", "usage", "--json"]) == 0
    datasets = json.loads(capsys.readouterr().out)["datasets"]
    assert datasets["usage"]["active"]["snapshot_id"] == "s1"
    assert main(["snapshot", "status", "absent"]) == 1
    assert capsys.readouterr().err == (
        "[unknown_dataset] there is no dataset absent\n    hint: there are: usage\n"
    )


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["explode", "usage"],
        ["rollback"],
        ["rollback", "Usage"],
        ["rollback", "../status"],
        ["rollback", "usage", "s1"],
        ["rollback", "usage", "--accept"],
        ["pin", "usage", "a b"],
        ["pin", "usage", "--reason", "two\nlines"],
        ["pin", "usage", "--reason", "r" * 501],
        ["refresh", "usage", "--wait", "601"],
        ["refresh", "usage", "--wait", "nan"],
        ["refresh", "usage", "--wait", "soon"],
        ["refresh", "usage", "--token", TOKEN],
        ["status", "--admin-url", "127.0.0.1:4001"],
        ["status", "--admin-url", "file:///etc/passwd"],
        ["status", "--admin-url", "http://user:secret@host:4001"],
        ["status", "--admin-url", "http://host:4001/?x=1"],
        ["status", "--admin-url", "http://host:99999"],
        ["status", "--admin-url", "http://ho st"],
    ],
)
def test_wrong_usage_exits_2(app: AdminApp, capsys: Captured, words: list[str]) -> None:
    """Nothing is asked; usage goes to stderr."""
    with pytest.raises(SystemExit) as raised:
        main(["snapshot", *words])
    shown = capsys.readouterr()
    assert (raised.value.code, shown.out, app.asked) == (2, "", [])
    assert shown.err.startswith("usage: offloader")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (7200, "2 h"), (200000, "2 d")],
)
def test_ages_are_short(seconds: float, text: str) -> None:
    """In their largest unit, rounded down."""
    assert age_text(seconds) == text


def test_nothing_moves_the_cursor() -> None:
    """Control characters of foreign texts are shown, not sent to the terminal."""
    assert printable("a\x1b[2Jé\u202e\n") == "a\\x1b[2Jé\\u202e\\n"
