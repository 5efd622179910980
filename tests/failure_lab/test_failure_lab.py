"""The failure lab: every defect is caught by the check and with the code that its table says."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from offloader.catalog.compatibility import check_schema
from offloader.catalog.documents import load_catalog
from offloader.catalog.guards import check_guards
from offloader.catalog.manifest import Manifest, ManifestInvalid, parse_manifest
from offloader.catalog.model import Dataset
from offloader.catalog.values import parse_timestamp
from offloader.errors import ConfigError, Problem, SnapshotRefused
from offloader.segment.build import PartTargets, build_segment
from offloader.segment.facts import SnapshotFacts
from offloader.sources.manifest_file import read_manifest, resolve_manifest
from offloader.sources.snapshot import Snapshot
from tests.sources.opening import open_local

LAB = Path(__file__).parents[2] / "dev" / "examples" / "failure-lab"
ROW = re.compile(r"\| \[`([a-z0-9-]+)`\]\(\1/\): [^|]+ \| ([a-z]+) \| `([a-z0-9_]+)` \|")
TABLE = [match.groups() for match in ROW.finditer((LAB / "README.md").read_text())]
NOW = parse_timestamp("2026-06-01T00:10:00Z")

Verdict = tuple[str, list[str]]


def run(project: Path, cache: Path) -> Verdict:
    """Take a project through every check; return the one that stopped it and its codes."""
    try:
        catalog, _ = load_catalog(project)
    except ConfigError as error:
        return "configuration", _codes(error.problems)
    dataset = catalog.datasets["usage"]
    try:
        path = resolve_manifest(project, dataset.manifest or "")
        manifest = parse_manifest(read_manifest(path), "manifest.json")
    except ManifestInvalid as error:
        return "manifest", _codes(error.problems)
    if problems := check_schema(manifest, dataset):
        return "compatibility", _codes(problems)
    try:
        snapshot = open_local(manifest, path, dataset, root=project)
        problems = _check_guards(snapshot, dataset, manifest, cache)
    except SnapshotRefused as error:
        return "files", _codes(error.problems)
    return ("guards", _codes(problems)) if problems else ("nothing", [])


def _check_guards(
    snapshot: Snapshot, dataset: Dataset, manifest: Manifest, cache: Path
) -> list[Problem]:
    facts = SnapshotFacts(dataset.id, manifest.snapshot_id, manifest.digest, manifest.watermark, 0)
    report = build_segment(
        snapshot.tables(),
        snapshot.columns,
        dataset.tenant_column,
        PartTargets(cache / "columns"),
        facts,
        unique=dataset.guards.unique,
    )
    return check_guards(
        dataset.guards,
        row_count=report.row_count,
        previous_row_count=None,
        watermark=manifest.watermark,
        now=NOW,
        null_counts=report.null_counts,
        duplicate_keys=report.duplicate_keys,
    )


def _codes(problems: tuple[Problem, ...] | list[Problem]) -> list[str]:
    assert all(problem.hint for problem in problems)
    return [problem.code for problem in problems]


def test_the_table_lists_every_folder() -> None:
    """No folder without a row, no row without a folder."""
    folders = {path.parent.name for path in LAB.glob("*/offloader.yml")}
    assert len(TABLE) == len(folders) > 25
    assert {name for name, _, _ in TABLE} == folders


@pytest.mark.parametrize(("name", "caught_by", "result"), TABLE)
def test_each_defect_is_caught_as_the_table_says(
    name: str, caught_by: str, result: str, tmp_path: Path
) -> None:
    """Every check before lets the project pass, and the one named stops it with one problem."""
    assert run(LAB / name, tmp_path) == (caught_by, [result])


def test_the_lab_is_what_its_generator_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folders are made by `make.py`, byte by byte, and are small."""
    monkeypatch.syspath_prepend(LAB)
    lab = import_module("make").lab()
    found = {
        path.relative_to(LAB).as_posix(): path.read_bytes()
        for path in LAB.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    assert found == lab
    assert sum(map(len, found.values())) < 300_000


def test_without_its_defect_the_project_is_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What every defect starts from passes every check: only the defect is wrong."""
    monkeypatch.syspath_prepend(LAB)
    for name, content in import_module("sound_project").sound_project().items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert run(tmp_path / "project", tmp_path) == ("nothing", [])
