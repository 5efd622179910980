"""`offloader validate` and `offloader schema` as a person and as a script call them."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path

import pytest
import yaml

from offloader.catalog.json_schema import SCHEMA_NAMES, schemas
from offloader.cli import schema, validate
from tests.catalog.project_documents import (
    PROJECT,
    ROWS,
    USAGE,
    public_documents,
    valid_documents,
)
from tests.catalog.test_project_files import written


def called(*words: str, environ: dict[str, str] | None = None) -> int:
    """Run one command as the command line would."""
    parser = ArgumentParser()
    commands = parser.add_subparsers(dest="command")
    validate.add_parser(commands)
    schema.add_parser(commands)
    args = parser.parse_args(words)
    return validate.run(args, environ or {}) if words[0] == "validate" else schema.run(args)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return written(tmp_path / "project")


@pytest.fixture
def broken_project(project: Path) -> Path:
    documents = valid_documents()
    documents["datasets"][USAGE]["pin"] = "a b"
    documents["project"]["auht"] = "none"
    return written(project, documents)


def test_a_valid_project_exits_0(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The summary counts what was found."""
    assert called("validate", str(project)) == 0
    shown = capsys.readouterr()
    assert shown.out == f"{project}: valid (2 datasets, 2 endpoints, 2 keys)\n"
    assert shown.err == ""


def test_every_problem_is_printed(broken_project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Problems go to stderr with file, path, code, message and hint; the summary to stdout."""
    assert called("validate", str(broken_project / PROJECT)) == 2
    shown = capsys.readouterr()
    assert shown.out == f"{broken_project / PROJECT}: 2 problems in 2 files\n"
    assert shown.err == (
        'datasets/usage.yml: pin: [bad_snapshot_id] the text "a b" is not a snapshot id\n'
        "    hint: use letters, digits and : _ . - only, at most 200 characters\n"
        "offloader.yml: auht: [unknown_key] auht is not a field here\n"
        "    hint: did you mean auth?\n"
    )


def test_json_is_one_object(
    project: Path, broken_project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script reads one object, whatever the outcome, and nothing on stderr."""
    assert called("validate", "--json", str(broken_project)) == 2
    shown = capsys.readouterr()
    report = json.loads(shown.out)
    assert (report["ok"], report["datasets"], shown.err) == (False, 0, "")
    assert report["problems"][1] == {
        "file": PROJECT,
        "path": "auht",
        "code": "unknown_key",
        "message": "auht is not a field here",
        "hint": "did you mean auth?",
    }
    written(project)
    assert called("validate", "--json", str(project)) == 0
    assert json.loads(capsys.readouterr().out) == {
        "ok": True, "problems": [], "warnings": [], "datasets": 2, "endpoints": 2, "keys": 2,
    }  # fmt: skip


def test_an_endpoint_that_scans_is_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The project is valid, exit 0; the line says where, and what to change."""
    documents = public_documents()
    rows = documents["endpoints"][ROWS]
    rows["query"] = {
        "select": [{"as": "calls", "column": "calls", "agg": "sum"}],
        "filters": [{"column": "day", "op": "gte", "param": "since"}],
    }
    rows |= {"columns": ["calls"], "params": [{"name": "since", "type": "date"}]}
    root = written(tmp_path / "public", documents)
    assert called("validate", str(root)) == 0
    shown = capsys.readouterr()
    assert shown.err == (
        "warning: endpoints/rows.yml: params: [endpoint_scans] a call that sends none of since"
        " reads every row\n"
        "    hint: make one of them required, or list the sets that are allowed in combinations\n"
    )
    assert shown.out == f"{root}: valid (2 datasets, 1 endpoint, 0 keys), 1 warning\n"
    assert called("validate", "--json", str(root)) == 0
    report = json.loads(capsys.readouterr().out)
    assert [warning["code"] for warning in report["warnings"]] == ["endpoint_scans"]
    documents["endpoints"][ROWS]["params"][0]["required"] = True
    assert called("validate", str(written(root, documents))) == 0
    assert capsys.readouterr().err == ""


def test_the_path_defaults_to_the_environment(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a path OFFLOADER_CONFIG counts, then the current folder."""
    assert called("validate", environ={"OFFLOADER_CONFIG": str(project)}) == 0
    monkeypatch.chdir(tmp_path)
    assert called("validate") == 2
    monkeypatch.chdir(project)
    assert called("validate") == 0


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://host/project", "location_unsupported"),
        ("ftp://host/project", "location_unsupported"),
        ("gs://", "url_invalid"),
        ("s3://key:secret@bucket/project", "url_invalid"),
    ],
)
def test_what_is_no_bucket_is_refused(
    url: str, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only gs:// and s3:// are read; what may be a secret is not repeated."""
    assert called("validate", "--json", url) == 2
    shown = capsys.readouterr().out
    assert [problem["code"] for problem in json.loads(shown)["problems"]] == [code]
    assert "secret" not in shown


def test_a_wrong_environment_is_told_when_a_bucket_is_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It says how the bucket is reached."""
    environ = {"OFFLOADER_GCS_AUTH": "magic"}
    assert called("validate", "gs://bucket/project", environ=environ) == 2
    assert "environment: OFFLOADER_GCS_AUTH: [variable_invalid]" in capsys.readouterr().err


def test_schemas_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """One by name, or all four by name in one object."""
    assert called("schema", "endpoint") == 0
    assert json.loads(capsys.readouterr().out) == schemas()["endpoint"]
    assert called("schema") == 0
    assert json.loads(capsys.readouterr().out) == schemas()


def test_schemas_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each file is named after what it checks, and its path is printed."""
    out = tmp_path / "made/schemas"
    assert called("schema", "--out", str(out)) == 0
    assert capsys.readouterr().out.split() == [str(out / f"{n}.schema.json") for n in SCHEMA_NAMES]
    assert yaml.safe_load((out / "keys.schema.json").read_text()) == schemas()["keys"]
    (tmp_path / "file").touch()
    assert called("schema", "keys", "--out", str(tmp_path / "file")) == 2
    assert "name a folder" in capsys.readouterr().err
