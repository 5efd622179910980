"""`offloader support-bundle` while nothing runs, and what a bundle is made of."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from offloader.service.bundle.archive import Entry, pack
from offloader.service.redaction import Redactor
from tests.cli.planted import TENANT, call, unpacked
from tests.projects import token_hash, usage_project
from tests.web.secret_hunt import leaks

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def alone(tmp_path: Path) -> dict[str, str]:
    """The environment of a service that does not run."""
    project = usage_project(tmp_path / "project", rows=5)
    return {"OFFLOADER_CONFIG": str(project.root), "OFFLOADER_CACHE_DIR": str(tmp_path / "none")}


def test_a_broken_project_is_told_without_its_secrets(
    alone: dict[str, str], tmp_path: Path, capsys: Captured
) -> None:
    """The bundle is written, exit 0: what is missing is named, and what is wrong."""
    keys = tmp_path / "project" / "keys" / "keys.yml"
    hashes = {"hash": token_hash("x"), "tenant": TENANT}
    text = keys.read_text().replace("tenant_0", TENANT, 1)
    keys.write_text(f"{text}- {{id: new, hash: {hashes['hash']}, tenant: {TENANT}, colour: red}}\n")
    (tmp_path / "project" / "datasets" / "usage.yml").write_text(f"id: {TENANT}\n")
    target = tmp_path / "b.tar.gz"
    assert call({**alone, "OFFLOADER_ADMIN_PORT": "1"}, "--out", str(target), "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    found = unpacked(target.read_bytes())
    assert shown == {
        "ok": True,
        "file": str(target),
        "bytes": target.stat().st_size,
        "files": sorted(found),
    }
    problems = json.loads(found["config/problems.json"])
    assert "bad_identifier" in {one["code"] for one in problems["problems"]}
    assert {"keys.yml", "offloader.yml", "usage.yml"} < set(problems["files"])
    assert list(json.loads(found["missing.json"])) == ["instance/"]
    assert leaks(hashes, found) == []


def test_what_cannot_be_written_or_read(
    alone: dict[str, str], tmp_path: Path, capsys: Captured
) -> None:
    """No file is ever overwritten; exit 1 with a remedy."""
    target = tmp_path / "there"
    target.write_text("mine")
    assert call(alone, "--out", str(target)) == 1
    assert capsys.readouterr().err == (
        f"[bundle_not_written] {target} cannot be written: File exists\n"
        "    hint: name another file with --out, or - for stdout\n"
    )
    assert target.read_text() == "mine"
    assert call(alone, "--log", str(tmp_path / "no"), "--json") == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "log_unreadable"


@pytest.mark.parametrize("since", ["soon", "5", "2026-06-01", "5w", "-1h"])
def test_a_time_must_be_one(since: str) -> None:
    """A time without zone is none."""
    with pytest.raises(SystemExit) as raised:
        call({}, "--since", since)
    assert raised.value.code == 2


def test_the_same_is_packed_into_the_same_bytes() -> None:
    """Whatever the order, owner and machine are; each file has the time that is given."""
    entries = [Entry("b.txt", "two", "b"), Entry("a.txt", "one", "a")]
    facts = {"version": "1", "made_at": "now"}
    first, paths = pack(entries, Redactor([]), made_at=1e9, facts=facts)
    os.umask(os.umask(0o077))
    second, _ = pack(entries[::-1], Redactor([]), made_at=1e9, facts=facts)
    assert (first, paths) == (second, ["README.txt", "a.txt", "b.txt"])
    with tarfile.open(fileobj=io.BytesIO(first)) as archive:
        members = [(one.mtime, one.uid, one.gid, one.mode) for one in archive.getmembers()]
    assert set(members) == {(10**9, 0, 0, 0o644)}


def test_what_has_no_room_is_named() -> None:
    """The README says what was left out, and why."""
    entries = [Entry("a", "x" * 60, "an a"), Entry("b", "x" * 60, "a b"), Entry("c", "x", "a c")]
    raw, paths = pack(
        entries, Redactor([]), made_at=0, facts={"version": "1", "made_at": ""}, most_bytes=100
    )
    assert paths == ["README.txt", "a", "c"]
    assert b"\nb: left out, 60 bytes are too many. a b\n" in unpacked(raw)["README.txt"]
