"""A newcomer finds cause and remedy of every defect from `/diagnostics`, and from doctor, alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT
from tests.failure_lab.broken_service import (
    Seen,
    dataset_of,
    see_broken_configs,
    see_broken_snapshots,
)
from tests.failure_lab.test_failure_lab import TABLE

# Where the defect is, and what of the hint says what to do.
READ = {
    "unknown-key": ("endpoints/usage_by_day.yml: onwer", "did you mean owner?"),
    "dangling-dataset": ("endpoints/usage_by_day.yml: dataset", "did you mean usage?"),
    "path-leaves-project": ("datasets/usage.yml: manifest", "keep the file inside the project"),
    "auth-none-with-tenant": ("offloader.yml: auth", "set auth: required"),
    "duplicate-id": ("endpoints/usage_copy.yml: name", "choose another, or drop one file"),
    "missing-field": ("manifest.json: watermark", "add a time with a zone"),
    "bad-snapshot-id": ("manifest.json: snapshot_id", "write 1 to 200 of letters, digits"),
    "failed-quality": ("manifest.json: data_quality_status", "repair the data"),
    "duplicate-column": ("manifest.json: schema[5].name", "give each column its own name"),
    "unsupported-type": ("manifest.json: schema[4].type", "declare one of BOOLEAN, INTEGER"),
    "data-leaves-project": ("manifest.json: files[0].path", "beside or below the manifest"),
    "wrong-total": ("manifest.json: row_count", "make it the sum"),
    "dropped-column": ('manifest: schema: the contract\'s column "api_calls"', "publish it again"),
    "renamed-column": ('"api_calls" is now "calls"', 'publish it as "api_calls"'),
    "narrowed-type": ('manifest: schema[3].type: "api_calls"', "publish it as BIGINT"),
    "extra-column-under-exact": ('manifest: schema[5].name: "region"', "add it to the dataset's"),
    "missing-file": ("part-0.csv: it does not exist", "write every file first"),
    "short-file": ("part-0.csv: it has 203 bytes", "the manifest last"),
    "wrong-checksum": ("part-0.csv: its sha256 is", "write every file first"),
    "wrong-row-count": ("part-0.csv: it has 4 rows", "count rows when writing"),
    "undeclared-column": ("part-0.csv: region", "make `schema` list exactly the columns"),
    "truncated-parquet": ("part-0.parquet", "write the file again"),
    "bad-csv-value": ("part-0.csv: api_calls: row 2", "have the pipeline repair the value"),
    "invalid-json-text": ("part-0.csv: attributes: row 4", "have the pipeline repair the value"),
    "not-utf8": ("part-0.csv: account_id: row 4", "have the pipeline repair the value"),
    "too-few-rows": ("guards.min_rows: 2 rows", "publish a repaired snapshot, or loosen"),
    "duplicate-keys": ("guards.unique", "publish a repaired snapshot, or loosen"),
    "nulls": ("guards.not_null[0]: 1 nulls in `account_id`", "publish a repaired snapshot"),
    "too-old": ("guards.max_age_minutes", "publish a repaired snapshot"),
}
CONFIGS = {name: code for name, caught_by, code in TABLE if caught_by == "configuration"}
SNAPSHOTS = {name: code for name, caught_by, code in TABLE if caught_by != "configuration"}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    snapshots = see_broken_snapshots(tmp_path_factory.mktemp("snapshots"), SNAPSHOTS)
    return snapshots | see_broken_configs(tmp_path_factory.mktemp("configs"), CONFIGS)


def test_every_defect_of_the_lab_is_looked_for() -> None:
    """What is to be read is written down for each row of the lab's table."""
    assert list(READ) == [name for name, _, _ in TABLE]


@pytest.mark.parametrize("name", READ)
def test_diagnostics_name_cause_culprit_and_remedy(name: str, seen: dict[str, Seen]) -> None:
    """The verdict has one item: whose it is, the code, the dataset and the place, what to do."""
    (item,) = seen[name].items
    culprit, remedy = READ[name]
    is_config = name in CONFIGS
    assert item["severity"] == "failing"
    assert item["area"] == ("config" if is_config else "upstream")
    assert item["dataset"] == (None if is_config else dataset_of(name))
    assert culprit in item["message"]
    assert remedy in item["hint"]
    assert _codes(seen[name]) >= {CONFIGS[name] if is_config else SNAPSHOTS[name]}
    assert _stands(item["runbook"])


@pytest.mark.parametrize("name", READ)
def test_doctor_names_cause_culprit_and_remedy(name: str, seen: dict[str, Seen]) -> None:
    """Under the right heading a failed line says the same, and the exit code says that it is so."""
    doctor = seen[name].doctor
    culprit, remedy = READ[name]
    heading = "us" if name in CONFIGS else "upstream"
    (found,) = (
        one
        for one in doctor.findings
        if one["verdict"] == "failed" and one["heading"] == heading
        if one["subject"] == dataset_of(name) or name in CONFIGS
    )
    assert culprit in found["message"]
    assert remedy in found["hint"]
    assert _stands(found["runbook"])
    assert doctor.exit_code == (2 if name in CONFIGS else 1)
    line = next(line for line in doctor.lines if line.startswith("  failed") and culprit in line)
    assert remedy in line
    assert f"[{found['code']}]" in line


def _codes(seen: Seen) -> set[str]:
    """Return the codes that are shown: of a manifest with problems there is one for each."""
    problems = (seen.attempt or {}).get("problems", [])
    return {item["code"] for item in seen.items} | {one["code"] for one in problems}


def _stands(runbook: str) -> bool:
    """Tell whether a link leads to a heading of a page."""
    page, _, anchor = runbook.partition("#")
    titles = re.findall(r"^## (.+)$", Path(ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    return anchor in {title.lower().replace(" ", "-") for title in titles}
