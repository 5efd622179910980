"""`offloader explain` as a person and as a script call it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from offloader.cli.main import main
from offloader.service.builder.process import build
from offloader.service.cache import Cache
from tests.projects import UsageProject, usage_project
from tests.service.building import job_of, parts_in
from tests.web.remote_project import remote_project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> UsageProject:
    return usage_project(tmp_path_factory.mktemp("project"), rows=900)


@pytest.fixture(scope="module")
def cache(project: UsageProject, tmp_path_factory: pytest.TempPathFactory) -> Cache:
    """A cache volume where a service has built the project's snapshot."""
    made = Cache(tmp_path_factory.mktemp("cache"))
    made.prepare()
    assert build(job_of(project.root, made), now=time.time())["ok"] is True
    return made


def called(project: UsageProject, cache: Path, *words: str) -> int:
    """Run the command as the command line would."""
    return main(["explain", *words, "--config", str(project.root), "--cache-dir", str(cache)])


def answered(capsys: pytest.CaptureFixture[str]) -> Any:
    """Return the one JSON object on stdout."""
    (line,) = capsys.readouterr().out.splitlines()
    return json.loads(line)


def test_the_explanation_is_readable(
    project: UsageProject, cache: Cache, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line for each thing, from the parts in the cache; nothing is built or written there."""
    before = parts_in(cache)
    words = ("usage_rows", "account_id=acct_1", "from_date=2026-01-10", "limit=5")
    assert called(project, cache.root, *words, "--tenant", "tenant_0") == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    *lines, answer = shown.out.splitlines()
    assert lines == [
        "usage_rows over usage, snapshot s0001, 900 rows",
        "  path       (tenant_id, account_id, usage_date)",
        "  looked up  tenant_id by value, account_id by value, usage_date by range",
        "  checked    nothing row by row",
        "  order      usage_date desc: the path names the rows of the page, only these are sorted",
        "  located    30 rows",
        lines[6],
        "  estimated  5 rows",
    ]
    assert lines[6].startswith("  read       5 rows, ")
    assert answer.startswith("  answered   5 rows in ")
    assert parts_in(cache) == before


def test_json_is_one_object(
    project: UsageProject, cache: Cache, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same for a script; values keep their types."""
    words = ("usage_by_account", "account_id=acct_2", "--tenant", "tenant_1", "--json")
    assert called(project, cache.root, *words) == 0
    document = answered(capsys)
    assert (document.pop("milliseconds") > 0, document.pop("bytes_read") > 0) == (True, True)
    path = document.pop("path")
    assert path[:2] == ["tenant_id", "account_id"]
    assert document == {
        "ok": True,
        "endpoint": "usage_by_account",
        "dataset": "usage",
        "snapshot_id": "s0001",
        "row_count": 900,
        "equal": ["tenant_id", "account_id"],
        "listed": [],
        "ranged": [],
        "residual": [],
        "order": ["account_id"],
        "order_from": "groups",
        "scan": False,
        "rows_located": 60,
        "rows_estimated": 60,
        "rows_read": 60,
        "result_rows": 1,
        "advice": [],
    }


def test_what_is_not_cached_is_built(
    project: UsageProject, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Elsewhere, and thrown away; stderr says that it is done."""
    words = ("usage_rows", "--tenant", "tenant_0", "--json")
    assert called(project, tmp_path / "none", *words) == 0
    shown = capsys.readouterr()
    assert shown.err == f"building s0001 of usage: it is not in {tmp_path / 'none'}\n"
    assert json.loads(shown.out)["rows_located"] == 300
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("usage_row", "--tenant", "t"), "unknown_endpoint"),
        (("usage_rows",), "tenant_missing"),
        (("usage_rows", "x=1", "--tenant", "t"), "unknown_param"),
        (("usage_rows", "region=eu", "region=us", "--tenant", "t"), "repeated_param"),
        (("usage_rows", "from_date=monday", "--tenant", "t"), "bad_type"),
    ],
)
def test_a_wrong_call_exits_2(
    project: UsageProject,
    cache: Cache,
    words: tuple[str, ...],
    code: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With a code and what to do, in words and as JSON; no value is repeated."""
    assert called(project, cache.root, *words) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert f"[{code}]" in shown.err
    assert "monday" not in shown.err
    assert called(project, cache.root, *words, "--json") == 2
    error = answered(capsys)["error"]
    assert error["code"] == code
    assert error["hint"]


def test_a_tenant_that_nothing_asks_for_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An endpoint without tenants would ignore it in silence."""
    root = Path(__file__).parents[2] / "dev" / "examples" / "flights"
    words = ["explain", "flights_by_day", "--tenant", "t", "--config", str(root)]
    assert main([*words, "--cache-dir", str(tmp_path)]) == 2
    assert "[tenant_unused]" in capsys.readouterr().err


def test_an_endpoint_that_reads_files_has_no_path_to_explain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would be explained by a segment without rows."""
    remote_project(tmp_path / "project")
    words = ["explain", "archive_rows", "--tenant", "tenant_0", "--cache-dir", str(tmp_path)]
    assert main([*words, "--config", str(tmp_path / "project")]) == 2
    assert "[endpoint_is_remote]" in capsys.readouterr().err


def test_a_pair_needs_a_name(capsys: pytest.CaptureFixture[str]) -> None:
    """`region` alone is no parameter with a value."""
    with pytest.raises(SystemExit) as stopped:
        main(["explain", "usage_rows", "region"])
    assert stopped.value.code == 2
    assert "'region' is not PARAM=VALUE" in capsys.readouterr().err


def test_a_wrong_project_shows_its_problems(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of them, as `offloader validate` does."""
    assert main(["explain", "e", "--config", str(tmp_path)]) == 2
    assert "[project_missing]" in capsys.readouterr().err
    assert main(["explain", "e", "--config", "https://host/project", "--json"]) == 2
    document = answered(capsys)
    assert [problem["code"] for problem in document["problems"]] == ["location_unsupported"]


def test_a_snapshot_that_cannot_be_used_exits_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The call is right, the data is not there."""
    project = usage_project(tmp_path, rows=30)
    project.manifest_path.unlink()
    assert called(project, tmp_path / "cache", "usage_rows", "--tenant", "tenant_0") == 1
    assert "[manifest_missing]" in capsys.readouterr().err
