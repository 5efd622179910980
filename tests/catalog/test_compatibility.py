"""A snapshot's schema against the dataset's contract."""

from __future__ import annotations

from offloader.catalog.compatibility import check_schema, served_columns
from offloader.catalog.manifest import Manifest
from offloader.catalog.model import Column, Dataset
from offloader.catalog.types import parse_type
from offloader.errors import Problem
from tests.catalog.manifests import parse, valid

WANTED = {"account_id": "VARCHAR", "calls": "INTEGER", "amount": "DECIMAL(10,2)"}


def _columns(pairs: dict[str, str]) -> tuple[Column, ...]:
    return tuple(Column(name, parse_type(kind)) for name, kind in pairs.items())


def _manifest(pairs: dict[str, str], policy: str = "additive_only") -> Manifest:
    schema = [{"name": name, "type": kind} for name, kind in pairs.items()]
    return parse(
        valid(schema=schema, partition_columns=[], sort_columns=[], compatibility_policy=policy)
    )


def _codes(pairs: dict[str, str], policy: str = "additive_only") -> list[tuple[str, str]]:
    found = check_schema(_manifest(pairs, policy), Dataset("usage", _columns(WANTED)))
    return [(problem.path, problem.code) for problem in found]


def test_the_same_columns_in_any_order_are_fine() -> None:
    """Order is the contract's business, not the producer's."""
    assert _codes(dict(reversed(WANTED.items())), "exact") == []


def test_a_wider_type_is_fine_and_served() -> None:
    """The manifest's wider type wins; columns stay in the contract's order."""
    offered = {"amount": "DECIMAL(12,3)", "calls": "DOUBLE", "account_id": "VARCHAR"}
    dataset = Dataset("usage", _columns(WANTED))
    assert check_schema(_manifest(offered), dataset) == []
    assert served_columns(_manifest(offered), dataset) == _columns(
        {"account_id": "VARCHAR", "calls": "DOUBLE", "amount": "DECIMAL(12,3)"}
    )


def test_a_narrower_type_is_refused() -> None:
    """Fewer digits would cut values that callers rely on."""
    dataset = Dataset("usage", _columns({"calls": "BIGINT", "amount": "DECIMAL(10,2)"}))
    offered = _manifest({"calls": "INTEGER", "amount": "DECIMAL(9,1)"})
    assert check_schema(offered, dataset)[0] == Problem(
        "manifest",
        "schema[0].type",
        "type_narrowed",
        '"calls" is INTEGER, narrower than the contract\'s BIGINT',
        "publish it as BIGINT, or change the dataset's schema and its endpoints",
    )
    assert [problem.code for problem in check_schema(offered, dataset)] == ["type_narrowed"] * 2


def test_an_unrelated_type_is_refused() -> None:
    """Neither is wider than the other: the type changed."""
    changed = WANTED | {"calls": "VARCHAR", "amount": "DECIMAL(10,3)"}
    assert _codes(changed) == [
        ("schema[1].type", "type_changed"),
        ("schema[2].type", "type_changed"),
    ]


def test_a_dropped_column_is_refused() -> None:
    """A column of the contract must be there."""
    assert _codes({"account_id": "VARCHAR", "calls": "INTEGER"}) == [("schema", "column_dropped")]


def test_a_renamed_column_is_named() -> None:
    """A new column in its place, or of nearly its name, and of a fitting type tells a rename."""
    in_place = {"customer": "VARCHAR", "calls": "INTEGER", "amount": "DECIMAL(10,2)"}
    assert _codes(in_place) == [("schema", "column_renamed")]
    near = {"calls": "INTEGER", "amount": "DECIMAL(10,2)", "x": "DATE", "AccountID": "VARCHAR"}
    assert _codes(near) == [("schema", "column_renamed")]
    other_type = {"customer": "DATE", "calls": "INTEGER", "amount": "DECIMAL(10,2)"}
    assert _codes(other_type) == [("schema", "column_dropped")]


def test_an_extra_column_is_refused_under_exact_only() -> None:
    """Additions are compatible unless the producer promised none."""
    more = WANTED | {"region": "VARCHAR"}
    assert _codes(more) == []
    assert _codes(more, "exact") == [("schema[3].name", "column_extra")]


def test_a_manifest_of_another_dataset_is_refused() -> None:
    """A pointer that names the wrong folder does not mix datasets."""
    found = check_schema(_manifest(WANTED), Dataset("orders", _columns(WANTED)), file="m.json")
    assert [(p.file, p.path, p.code) for p in found] == [
        ("m.json", "dataset_id", "dataset_differs")
    ]
