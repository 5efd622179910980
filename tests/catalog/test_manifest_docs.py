"""The manifest's page cannot lie: its example is parsed, its tables are compared with the code."""

from __future__ import annotations

import re
from pathlib import Path

from offloader.catalog.manifest import parse_manifest
from offloader.catalog.snapshot_codes import SNAPSHOT_CODES
from offloader.catalog.types import Kind
from tests.catalog.manifests import valid

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "manifest.md").read_text(encoding="utf-8")
CATALOG, SOURCES = ROOT / "offloader" / "catalog", ROOT / "offloader" / "sources"


def test_the_example_is_a_valid_manifest() -> None:
    """What the page shows can be copied."""
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    found = parse_manifest(example.encode(), "docs/manifest.md")
    assert (found.dataset_id, found.row_count, len(found.files)) == ("customer_usage", 120_003, 2)


def test_every_field_and_type_is_documented() -> None:
    """Nothing is required that the page does not name."""
    assert [key for key in valid() if f"`{key}`" not in PAGE] == []
    assert [kind for kind in Kind if f"`{kind}" not in PAGE] == []


def test_every_code_is_documented_in_the_same_words() -> None:
    """The tables of the page are those of the code."""
    rows = re.findall(r"^\| `([a-z0-9_]+)` \| (.+) \|$", PAGE, re.MULTILINE)
    codes = {code: meaning for code, meaning in rows if code in SNAPSHOT_CODES}
    assert codes == dict(SNAPSHOT_CODES)


def test_every_code_is_in_use() -> None:
    """No code is documented that nothing ends with."""
    modules = [CATALOG / "compatibility.py", CATALOG / "guards.py", *SOURCES.glob("*.py")]
    text = "".join(path.read_text() for path in (*modules, *CATALOG.glob("manifest*.py")))
    built = {"row_count_sum": 'f"{key}_sum"', "size_bytes_sum": 'f"{key}_sum"'}
    unused = [code for code in SNAPSHOT_CODES if built.get(code, f'"{code}"') not in text]
    assert unused == []
