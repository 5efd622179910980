"""docs/errors.md lists every error code, with the meaning that the code gives it."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from offloader.catalog import codes, snapshot_codes
from offloader.query.codes import REQUEST_CODES
from offloader.settings.codes import SETTINGS_CODES
from tests.docs.markdown import ROOT
from tests.docs.raised_codes import raised_codes

_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_ROW = re.compile(r"^\| `([a-z0-9_]+)` \| (.+) \|$", re.MULTILINE)
_TITLED: Mapping[str, Mapping[str, str]] = {
    "Environment": SETTINGS_CODES,
    "Files of a project": codes.FILE_CODES,
    "YAML": codes.YAML_CODES,
    "Fields": codes.FIELD_CODES,
    "Project": codes.PROJECT_CODES,
    "Datasets": codes.DATASET_CODES,
    "Endpoints": codes.ENDPOINT_CODES,
    "Keys": codes.KEY_CODES,
    "Manifest": snapshot_codes.MANIFEST_CODES,
    "Schema against contract": snapshot_codes.COMPATIBILITY_CODES,
    "Data files": snapshot_codes.DATA_FILE_CODES,
    "Guards": snapshot_codes.GUARD_CODES,
    "Parameters of a request": REQUEST_CODES,
}


def _sections() -> dict[str, dict[str, str]]:
    _, *parts = _SECTION.split((ROOT / "docs" / "errors.md").read_text(encoding="utf-8"))
    return {
        title: dict(_ROW.findall(text)) for title, text in zip(parts[::2], parts[1::2], strict=True)
    }


@pytest.mark.parametrize("title", _TITLED)
def test_a_section_is_its_table_of_codes(title: str) -> None:
    """Each table of codes in the package stands in the documentation, word for word."""
    assert _sections()[title] == _TITLED[title]


def test_every_table_of_codes_has_a_section() -> None:
    """No table of project or snapshot codes is left out."""
    tables = [*vars(codes).items(), *vars(snapshot_codes).items()]
    parts = {
        name for name, table in tables if name.endswith("_CODES") and table in _TITLED.values()
    }
    wholes = {"CODES", "SNAPSHOT_CODES"}
    assert {name for name, _ in tables if name.endswith("CODES")} - wholes == parts


def test_every_raised_code_is_listed() -> None:
    """A code that is written where an error is made is in docs/errors.md."""
    listed = {code for section in _sections().values() for code in section}
    assert {code: at for code, at in raised_codes().items() if code not in listed} == {}


def test_no_code_is_listed_that_nothing_raises() -> None:
    """Outside the tables, a listed code is written somewhere in the package."""
    others = {code for title, rows in _sections().items() if title not in _TITLED for code in rows}
    assert others - raised_codes().keys() == set()
