"""`offloader doctor`: one line a check, under the heading of whose it is, and the exit code."""

from __future__ import annotations

import json
import socket
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from offloader.cli import doctor
from offloader.cli.main import main
from tests.projects import UsageProject, usage_dataset, usage_project, write_yaml
from tests.web.admin_app import TOKEN, AdminApp
from tests.web.secret_hunt import leaks

Captured = pytest.CaptureFixture[str]
FIELDS = {"heading", "check", "subject", "verdict", "message", "code", "hint", "runbook"}


@pytest.fixture
def project(tmp_path: Path) -> UsageProject:
    return usage_project(tmp_path / "project", rows=10)


@pytest.fixture
def environ(project: UsageProject, tmp_path: Path) -> dict[str, str]:
    """A service's environment, in which nothing is wrong, and a port at which nobody answers."""
    (tmp_path / "cache").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return {
        "OFFLOADER_CONFIG": str(project.root),
        "OFFLOADER_CACHE_DIR": str(tmp_path / "cache"),
        "OFFLOADER_API_HOST": "127.0.0.1",
        "OFFLOADER_API_PORT": "0",
        "OFFLOADER_ADMIN_HOST": "127.0.0.1",
        "OFFLOADER_ADMIN_PORT": str(port),
        "OFFLOADER_WORKERS": "1",
        "OFFLOADER_MEMORY_LIMIT": "64MiB",
    }


def run(environ: Mapping[str, str], *words: str) -> int:
    """Run the command in an environment."""
    parser = ArgumentParser()
    doctor.add_parser(parser.add_subparsers())
    return doctor.run(parser.parse_args(["doctor", *words]), environ)


def found(environ: Mapping[str, str], captured: Captured, *words: str) -> tuple[int, Any]:
    """Return the exit code and the findings of the command."""
    code = run(environ, "--json", *words)
    document = json.loads(captured.readouterr().out)
    findings = document["findings"]
    assert all(one.keys() == FIELDS for one in findings)
    assert document["ok"] == all(one["verdict"] != "failed" for one in findings)
    return code, findings


def bad(findings: list[dict[str, str]]) -> list[tuple[str, str, str, str]]:
    """Return what is not well."""
    picked = [one for one in findings if one["verdict"] != "ok"]
    return [(one["heading"], one["check"], one["verdict"], one["code"]) for one in picked]


def test_all_is_well(environ: dict[str, str], capsys: Captured) -> None:
    """Three headings, one line a check, the answer in the end; exit 0."""
    assert run(environ) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith("  ")] == [
        "us (Offloader and its config):",
        "our environment:",
        "upstream data:",
        "nothing is wrong",
    ]
    checked = [line.split()[1].rstrip(":") for line in lines if line.startswith("  ok")]
    assert checked == [
        *("settings", "project", "packages", "instance"),
        *("kernel", "memory", "cpus", "open", "port", "port", "cache", "clock", "source"),
    ]


def test_wrong_settings_are_all_told(environ: dict[str, str], capsys: Captured) -> None:
    """Exit 2. Nothing that needs them is looked at, the rest is."""
    del environ["OFFLOADER_CONFIG"]
    environ |= {"OFFLOADER_WORKERS": "many", "OFFLOADER_WORKER": "1"}
    code, findings = found(environ, capsys)
    assert (code, bad(findings)) == (
        2,
        [("us", "settings", "failed", name) for name in ("variable_missing", "variable_invalid")],
    )
    assert {one["check"] for one in findings if one["verdict"] == "ok"} == {
        *("packages", "instance", "kernel"),
    }


def test_a_variable_that_is_not_known_is_a_warning(
    environ: dict[str, str], capsys: Captured
) -> None:
    """Warnings change no exit code; the answer says where to look."""
    environ["OFFLOADER_WORKER"] = "1"
    assert run(environ) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == (
        "  warning  settings: environment: OFFLOADER_WORKER: this variable is not known and has no"
        " effect [unknown_variable]; do: did you mean OFFLOADER_WORKERS?"
        " (docs/operations/runbooks.md#does-not-start)"
    )
    assert lines[-1] == "nothing failed; look at: us (Offloader and its config) (1 warning)"


def test_a_wrong_project_is_ours(
    environ: dict[str, str], project: UsageProject, capsys: Captured
) -> None:
    """Every problem with file, place, code and hint; exit 2."""
    write_yaml(project.root / "datasets" / "usage.yml", {**usage_dataset(), "idd": 1, "pin": "/"})
    code, findings = found(environ, capsys)
    assert code == 2
    assert {one[:3] for one in bad(findings)} == {("us", "project", "failed")}
    assert len(bad(findings)) == 2
    assert all(one["hint"] for one in findings if one["verdict"] == "failed")


def test_a_project_that_cannot_be_reached_is_the_environments(
    environ: dict[str, str], capsys: Captured
) -> None:
    """A bucket that does not answer: exit 1, for the config itself may be fine."""
    environ |= {"OFFLOADER_CONFIG": "gs://bucket/project", "OFFLOADER_GCS_AUTH": "none"}
    environ["STORAGE_EMULATOR_HOST"] = "http://127.0.0.1:1"
    code, findings = found(environ, capsys, "--deadline", "1")
    assert code == 1
    (only,) = bad(findings)
    assert only[:3] == ("environment", "project", "failed")
    assert only[3] in ("store_unreachable", "source_slow")


def test_upstream_and_environment_at_once(
    environ: dict[str, str], project: UsageProject, tmp_path: Path, capsys: Captured
) -> None:
    """Each under its heading, failures first, and the answer counts them."""
    project.manifest_path.unlink()
    (tmp_path / "cache").rmdir()
    (tmp_path / "cache").touch()
    assert run(environ) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "look at: our environment (1 failed), upstream data (1 failed)"
    after = {lines[at - 1]: line for at, line in enumerate(lines) if line.startswith("  failed")}
    assert "[cache_not_writable]" in after["our environment:"]
    assert after["upstream data:"] == (
        "  failed   source usage: manifest.json does not exist [manifest_missing]; do: publish a"
        " snapshot, or check the path (docs/operations/runbooks.md#source-unreachable)"
    )


def test_an_instance_that_was_named_must_answer(environ: dict[str, str], capsys: Captured) -> None:
    """Without a name, nobody needs to be there."""
    url = f"http://127.0.0.1:{environ['OFFLOADER_ADMIN_PORT']}"
    code, findings = found(environ, capsys, "--admin-url", url)
    assert (code, bad(findings)) == (1, [("us", "instance", "failed", "instance_unreachable")])


@pytest.mark.parametrize(
    ("token", "warned"),
    [
        (TOKEN, []),
        ("another-token", ["unauthorized"]),
        ("", ["admin_token_missing"]),
    ],
)
def test_an_instance_that_answers(
    app: AdminApp, environ: dict[str, str], capsys: Captured, token: str, warned: list[str]
) -> None:
    """It is found at the configured port, which is then no other's; what it says is told."""
    app.made.tell(usage={"is_ok": False, "attempt": _attempt()})
    environ |= {"OFFLOADER_ADMIN_PORT": str(app.address[1]), "OFFLOADER_ADMIN_TOKEN": token}
    code, findings = found(environ, capsys)
    checks = {one["check"]: one for one in findings}
    assert checks["port"]["verdict"] == "ok"
    codes = {one["code"] for one in findings if one["check"] == "instance"}
    assert codes & {"unauthorized", "admin_token_missing"} == set(warned)
    told = [one for one in findings if one["check"] == "dataset" and one["verdict"] == "failed"]
    assert [(one["heading"], one["subject"], one["code"]) for one in told] == (
        [] if warned else [("upstream", "usage", "too_few_rows")]
    )
    assert code == int(any(one["verdict"] == "failed" for one in findings))


def _attempt() -> dict[str, Any]:
    words = {"code": "too_few_rows", "message": "3 rows", "hint": "publish more", "problems": []}
    return {**words, "snapshot_id": "s2", "at": 1.0, "is_final": True}


def test_no_secret_is_printed(
    environ: dict[str, str], project: UsageProject, capsys: Captured
) -> None:
    """Neither one that is set, nor one that somebody wrote where it does not belong."""
    secrets = {
        "admin token": "planted-admin-token-1",
        "S3 secret": "planted/s3+secret=2-abcdef",
        "query": "planted-signature-3",
        "login": "planted-password-4",
    }
    environ |= {
        "OFFLOADER_ADMIN_TOKEN": secrets["admin token"],
        "OFFLOADER_S3_KEY_ID": "planted-key-id-5",
        "OFFLOADER_S3_SECRET": secrets["S3 secret"],
        "OFFLOADER_SEGMENT_STORE": f"/nowhere/{secrets['admin token']}",
    }
    url = f"https://127.0.0.1:1/m.json?sig={secrets['query']}"
    write_yaml(project.root / "datasets" / "usage.yml", {**usage_dataset(), "manifest": url})
    assert run(environ) == 1
    assert run(environ, "--json") == 1
    environ["OFFLOADER_S3_ENDPOINT"] = f"http://me:{secrets['login']}@127.0.0.1/"
    assert run(environ) == 2
    shown = capsys.readouterr()
    assert "OFFLOADER_S3_ENDPOINT" in shown.out
    printed = {"out": shown.out.encode(), "err": shown.err.encode()}
    assert leaks(secrets, printed) == []
    assert shown.err == ""


@pytest.mark.parametrize(
    "words", [["x"], ["--deadline", "0.5"], ["--deadline", "nan"], ["--admin-url", "localhost"]]
)
def test_wrong_usage_exits_2(words: list[str], capsys: Captured) -> None:
    """What is wrong goes to stderr."""
    with pytest.raises(SystemExit) as raised:
        main(["doctor", *words])
    assert raised.value.code == 2
    assert capsys.readouterr().err.startswith("usage: offloader")
