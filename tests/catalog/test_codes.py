"""Every code is stable, has one meaning, and is made by a test."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path

import pytest

from offloader.catalog.codes import CODES
from offloader.catalog.problems import MAX_PROBLEMS, Problems
from tests.catalog.project_documents import problems_of, valid_documents, with_change
from tests.catalog.test_refusals_endpoint import PARAM_REFUSALS, QUERY_REFUSALS, TOP_REFUSALS
from tests.catalog.test_refusals_files import DATASET_REFUSALS, KEY_REFUSALS, PROJECT_REFUSALS

TABLES = [
    *PROJECT_REFUSALS,
    *DATASET_REFUSALS,
    *KEY_REFUSALS,
    *TOP_REFUSALS,
    *PARAM_REFUSALS,
    *QUERY_REFUSALS,
]
TESTS = Path(__file__).parent.parent


def test_every_code_is_made_by_a_test() -> None:
    """A code that no test provokes is a promise that nobody keeps."""
    folders = ("catalog", "settings", "cli", "service/config")
    sources = chain.from_iterable((TESTS / folder).glob("test_*.py") for folder in folders)
    text = "".join(path.read_text() for path in sources if path.name != "test_json_schema.py")
    made = set(re.findall(r'"([a-z0-9_]+)"', text))
    assert CODES.keys() - made == set()


def test_codes_are_plain() -> None:
    """A code is lower snake case and its meaning one short line."""
    for code, meaning in CODES.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", code)
        assert 10 <= len(meaning) <= 90
        assert not meaning.endswith(".")


def test_every_problem_says_what_to_do() -> None:
    """Each problem of the tables has a message and a hint, and shows no control character."""
    for file, place, value, _ in TABLES:
        for problem in problems_of(with_change(valid_documents(), file, place, value)):
            assert problem.message
            assert problem.hint
            assert str(problem).replace("\n", "").isprintable()


def test_no_problem_shows_a_hash() -> None:
    """A token pasted in place of its hash is not repeated."""
    documents = with_change(valid_documents(), "keys/keys.yml", ("keys", 0, "hash"), "my-token")
    assert [p.code for p in problems_of(documents)] == ["bad_hash"]
    assert "my-token" not in str(problems_of(documents)[0])


def test_a_code_must_be_registered() -> None:
    """An unregistered code is a programming error."""
    with pytest.raises(KeyError):
        Problems().add("a.yml", "", "no_such_code", "message")


def test_a_problem_is_recorded_once() -> None:
    """The same problem twice is one, and their number is bounded."""
    problems = Problems()
    for _ in range(2):
        problems.add("a.yml", "x", "unknown_key", "message")
    assert len(problems.found()) == 1
    for number in range(MAX_PROBLEMS + 5):
        problems.add("a.yml", str(number), "unknown_key", "message")
    assert len(problems.found()) == MAX_PROBLEMS + 1
    assert problems.found()[-1].message == "6 more problems are not shown"
