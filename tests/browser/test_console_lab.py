"""Five defects of the failure lab in one instance: the console names each cause and remedy."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import yaml
from playwright.sync_api import Browser, expect

from tests.browser.chromium import visit
from tests.browser.console_page import unlock
from tests.projects import write_project, write_yaml
from tests.service_process import ADMIN_TOKEN, running

LAB = Path(__file__).parents[2] / "dev" / "examples" / "failure-lab"
# Each defect with its code, what the page says without the token, and with it: cause and remedy.
DEFECTS = {
    "dropped-column": (
        "column_dropped",
        "A column of the contract is not there",
        'the contract\'s column "api_calls" is not there',
        "Do: publish it again, or take it out of the dataset's schema and its endpoints",
    ),
    "missing-field": (
        "manifest_invalid",
        "The manifest has the problems listed with it",
        "watermark: it is required and not there",
        "Do: add a time with a zone, such as 2026-06-01T00:00:00Z",
    ),
    "truncated-parquet": (
        "file_unreadable",
        "A file is cut short, damaged or not of its format",
        "part-0.parquet: it is not a readable Parquet file: cut short or damaged",
        "Do: write the file again and publish a new snapshot",
    ),
    "wrong-checksum": (
        "file_checksum_differs",
        "A file has another checksum than the manifest says",
        "part-0.csv: its sha256 is",
        "Do: write every file first, the manifest last, and publish a new snapshot",
    ),
    "too-few-rows": (
        "too_old",
        "The watermark is older than max_age_minutes",
        "guards.min_rows: too_few_rows: 2 rows, at least 3 wanted",
        "Do: publish a repaired snapshot, or loosen the guard if this is right",
    ),
}


def broken_project(root: Path) -> Path:
    """Write one project out of the defects, each a dataset with its endpoint, made public."""
    write_project(root)
    for defect in DEFECTS:
        name = defect.replace("-", "_")
        shutil.copytree(LAB / defect, root / defect)
        (manifest,) = (root / defect).rglob("manifest.json")
        told = json.loads(manifest.read_text())
        manifest.write_text(json.dumps({**told, "dataset_id": name}))
        dataset = _only_document(root / defect / "datasets")
        dataset |= {"id": name, "manifest": f"{defect}/{dataset['manifest']}", "required": False}
        endpoint = {**_only_document(root / defect / "endpoints"), "name": name, "dataset": name}
        for document in (dataset, endpoint):
            document.pop("tenant_column", None)
            document.pop("tenant", None)
        write_yaml(root / "datasets" / f"{name}.yml", dataset)
        write_yaml(root / "endpoints" / f"{name}.yml", endpoint)
    return root


def _only_document(folder: Path) -> dict[str, Any]:
    (path,) = folder.glob("*.yml")
    document: dict[str, Any] = yaml.safe_load(path.read_text())
    return document


def test_a_newcomer_finds_cause_and_remedy(browser: Browser, tmp_path: Path) -> None:
    """What it is and whose stands there for anybody; the details and what to do with the token."""
    project = broken_project(tmp_path / "project")
    with running(project, tmp_path / "cache", until="live") as service:
        service.wait(service.is_complete)
        service.wait(lambda: len(service.events("refresh_failed")) >= len(DEFECTS))
        with visit(browser, f"{service.admin_url}/") as seen:
            problems = seen.page.locator(".problem")
            expect(problems).to_have_count(len(DEFECTS))
            for defect, (code, meaning, _, _) in DEFECTS.items():
                shown = problems.filter(has_text=defect.replace("-", "_"))
                for text in (code, meaning, "Upstream data", "Runbook: Bad manifest"):
                    expect(shown).to_contain_text(text)
            unlock(seen.page, ADMIN_TOKEN)
            for defect, (_, _, cause, remedy) in DEFECTS.items():
                shown = problems.filter(has_text=defect.replace("-", "_"))
                expect(shown).to_contain_text(cause)
                expect(shown).to_contain_text(remedy)
            seen.picture("console-failure-lab")
