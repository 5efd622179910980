"""The reference cannot lie: its examples are parsed, its tables are compared with the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from offloader.catalog.codes import CODES
from offloader.catalog.column_check import PARAM_TYPES_OF
from offloader.catalog.documents import load_catalog
from offloader.catalog.json_schema import SCHEMA_NAMES
from tests.catalog.project_documents import KEYS, PROJECT
from tests.catalog.reference_rows import field_rows, variable_rows

PAGE = (Path(__file__).parents[2] / "docs" / "config-reference.md").read_text(encoding="utf-8")
SECTIONS = dict(
    zip(
        SCHEMA_NAMES,
        ("offloader.yml", "datasets/*.yml", "endpoints/*.yml", "keys/keys.yml"),
        strict=True,
    )
)
EXAMPLE_FILES = {
    "project": PROJECT,
    "dataset": "datasets/usage.yml",
    "endpoint": "endpoints/usage_by_day.yml",
    "keys": KEYS,
}


def section(title: str) -> str:
    """Return the text below one second-level heading."""
    (found,) = re.findall(
        rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE
    )
    return str(found)


def rows(text: str) -> list[tuple[str, ...]]:
    """Return the cells of every table row that begins with code."""
    lines = re.findall(r"^\| (`.*) \|$", text, re.MULTILINE)
    return [tuple(line.split(" | ")) for line in lines]


@pytest.mark.parametrize("kind", SCHEMA_NAMES)
def test_every_field_is_documented(kind: str) -> None:
    """Each field stands in its file's table with its values and its meaning, and no other does."""
    assert rows(section(SECTIONS[kind])) == field_rows(kind)


def test_every_variable_is_documented() -> None:
    """Each variable stands in the table with its default and its meaning, and no other does."""
    assert rows(section("Environment")) == variable_rows()


def test_every_code_is_documented() -> None:
    """Each code stands in the tables with its meaning, and no other does."""
    assert rows(section("Problems")) == [(f"`{code}`", text) for code, text in CODES.items()]


def test_what_params_can_filter_is_documented() -> None:
    """The table of column types and param types is the one that is checked."""
    expected = [
        (f"`{kind}`", ", ".join(f"`{name}`" for name in names) or "none")
        for kind, names in PARAM_TYPES_OF.items()
    ]
    assert rows(section("Params and columns")) == expected


def test_the_examples_are_one_valid_project(tmp_path: Path) -> None:
    """What the page shows can be copied: the four examples make a project without problems."""
    for kind, file in EXAMPLE_FILES.items():
        (example,) = re.findall(r"```yaml\n(.*?)```", section(SECTIONS[kind]), re.DOTALL)
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(example, encoding="utf-8")
    catalog, _ = load_catalog(tmp_path)
    assert (list(catalog.datasets), list(catalog.endpoints)) == (["usage"], ["usage_by_day"])
    assert [key.id for key in catalog.keys] == ["acme_2026"]
