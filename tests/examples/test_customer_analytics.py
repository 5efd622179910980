"""The example customer-analytics: made-up rows, always the same, that its endpoints serve."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import date
from pathlib import Path

import pytest

from tests.examples.answers import EXAMPLES, Example, open_example
from tests.examples.scripts import load_script

ROOT = EXAMPLES / "customer-analytics"
generate = load_script("customer-analytics", "generate")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Example:
    folder = tmp_path_factory.mktemp("small")
    return open_example(ROOT, folder, generate.publish(folder / "data", rows=5_000))


def _data(body: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = json.loads(body)["data"]
    return rows


def test_the_same_arguments_give_the_same_snapshot(tmp_path: Path) -> None:
    """Generating the same size twice publishes the same bytes."""
    first, second = (generate.publish(tmp_path / name, rows=250) for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
    assert first.name == "manifest.json"


@pytest.mark.parametrize("rows", [1, 99, 100, 101, 12_345])
def test_any_number_of_rows_is_met_exactly(rows: int) -> None:
    """`--rows` is the number of rows, over at most 100 days."""
    tables = list(generate.make_files(rows, date(2026, 5, 31)))
    days = {day for table in tables for day in table["usage_date"].to_pylist()}
    assert sum(table.num_rows for table in tables) == rows
    assert max(days) == date(2026, 5, 31)
    assert len(days) <= 100


def test_large_snapshots_are_cut_into_files() -> None:
    """A file holds about 50,000 rows, so that any size streams."""
    counts = [table.num_rows for table in generate.make_files(200_000, date(2026, 5, 31))]
    assert counts == [50_000] * 4


def test_a_later_revision_moves_the_days_on(tmp_path: Path) -> None:
    """A newer snapshot is newer by its id and its watermark, and keeps the days it shares."""
    manifest = json.loads(generate.publish(tmp_path, rows=100, revision=2).read_text())
    assert manifest["snapshot_id"] == "2026-06-02T00:00:00Z_r0002"
    assert manifest["watermark"] == "2026-06-02T00:00:00Z"
    older = next(generate.make_files(100, date(2026, 5, 31)))
    newer = next(generate.make_files(100, date(2026, 6, 1)))
    assert newer.slice(0, 99).equals(older.slice(1))


def test_the_snapshot_keeps_contract_and_guards(small: Example) -> None:
    """Nothing of what is generated would be refused."""
    assert small.problems == ()


@pytest.mark.parametrize(
    ("endpoint", "query", "count"),
    [
        ("customer_usage_summary", "limit=3", 3),
        ("customer_usage_summary", "plan=pro&limit=1", 1),
        ("customer_usage_daily", "account_id=acct_zephyr", 31),
        ("customer_top_accounts", "region=us-east&since=2026-05-01&limit=2", 2),
    ],
)
def test_every_endpoint_answers(small: Example, endpoint: str, query: str, count: int) -> None:
    """Each endpoint of the example gives rows to the tenant acme."""
    assert len(_data(small.body(endpoint, query, "acme"))) == count


def test_no_tenant_sees_the_account_of_another(small: Example) -> None:
    """acct_zephyr is acme's alone, even when it is asked for by name."""
    query = "account_id=acct_zephyr"
    assert len(_data(small.body("customer_usage_summary", query, "acme"))) == 1
    assert _data(small.body("customer_usage_summary", query, "borealis")) == []


def test_the_page_lists_the_demo_keys() -> None:
    """Each token of the page is one of the keys file, by its hash, in the same order."""
    listed = re.findall(
        r"^\| `(demo-[a-z-]+)` \| `(\w+)` \|", (ROOT / "README.md").read_text(), re.M
    )
    keys = re.findall(r"id: (\w+)\n +hash: (\w+)", (ROOT / "keys" / "keys.yml").read_text())
    hashed = [(key, hashlib.sha256(token.encode()).hexdigest()) for token, key in listed]
    assert hashed == keys
    assert len(keys) == 4
