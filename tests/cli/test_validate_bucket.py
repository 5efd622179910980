"""`offloader validate gs://…` says what a start would say, as it does of a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dev.emulators import GcsEmulator
from offloader.catalog.documents import load_catalog
from tests.catalog.project_documents import ROWS, public_documents
from tests.catalog.test_project_files import written
from tests.cli.test_validate import called
from tests.snapshots import manifest_document
from tests.stores.conftest import bucket, gcs

__all__ = ["bucket", "gcs"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project whose one endpoint reads every row."""
    documents = public_documents()
    rows = documents["endpoints"][ROWS]
    select = [{"as": "calls", "column": "calls", "agg": "sum"}]
    rows |= {"query": {"select": select}, "columns": ["calls"], "params": []}
    for document in documents["datasets"].values():
        document.pop("source", None)
        document["manifest"] = f"data/{document['id']}.json"
    return written(tmp_path / "project", documents)


@pytest.fixture
def url(gcs: GcsEmulator, bucket: str, root: Path) -> str:
    gcs.make_bucket(bucket)
    gcs.put_folder(bucket, "of/project", root)
    return f"gs://{bucket}/of/project"


def test_a_bucket_is_checked_as_a_folder_is(
    url: str, root: Path, gcs: GcsEmulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same summary, warnings and exit code; nothing is left of it."""
    environ = dict(gcs.environ)
    assert called("validate", str(root)) == 0
    here = capsys.readouterr()
    assert called("validate", f"{url}/", environ=environ) == 0
    there = capsys.readouterr()
    assert there.out == here.out.replace(str(root), f"{url}/")
    assert there.err == here.err
    assert called("validate", environ={**environ, "OFFLOADER_CONFIG": url}) == 0


def test_every_problem_is_told(
    url: str, bucket: str, gcs: GcsEmulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the files' names as in a folder; exit 2."""
    gcs.put(bucket, "of/project/datasets/usage.yml", b"id: Usage!\n")
    gcs.put(bucket, "of/project/offloader.yml", b"version: 2\nkeys: keys/keys.yml\n")
    assert called("validate", "--json", url, environ=dict(gcs.environ)) == 2
    report = json.loads(capsys.readouterr().out)
    found = {(problem["file"], problem["code"]) for problem in report["problems"]}
    assert ("datasets/usage.yml", "bad_identifier") in found
    assert ("offloader.yml", "version_unsupported") in found


def test_a_bucket_that_is_not_there_is_told(
    gcs: GcsEmulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a problem, with its code and what to do."""
    assert called("validate", "--json", "gs://no-such-bucket/x", environ=dict(gcs.environ)) == 2
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert problem["code"] == "bucket_missing"
    assert problem["hint"]


def test_small_snapshots_are_no_warning(
    url: str, root: Path, bucket: str, gcs: GcsEmulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """Manifests are read where they lie; one that cannot be read may be of a large snapshot."""
    assert called("validate", url, environ=dict(gcs.environ)) == 0
    assert "[endpoint_scans]" in capsys.readouterr().err
    for name in load_catalog(root)[0].datasets:
        manifest = json.dumps(manifest_document(name, [("id", "BIGINT")], []))
        gcs.put(bucket, f"of/project/data/{name}.json", manifest.encode())
    assert called("validate", url, environ=dict(gcs.environ)) == 0
    assert "[endpoint_scans]" not in capsys.readouterr().err
