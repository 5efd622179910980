"""Compare a snapshot's schema with the dataset's contract. Pure.

    code               the manifest …
    dataset_differs    is of another dataset
    column_dropped     lacks a column of the contract
    column_renamed     lacks it too, but has a new one in its place or of nearly its name
    type_narrowed      has a column of a narrower type: INTEGER < BIGINT < DOUBLE, fewer digits
    type_changed       has a column of an unrelated type
    column_extra       has a column the contract lacks, under the policy `exact`

A wider column is served in the wider type.
"""

from __future__ import annotations

from collections.abc import Sequence

from offloader.catalog.manifest import Manifest
from offloader.catalog.model import Column, Dataset
from offloader.catalog.strict_json import shown
from offloader.catalog.types import is_same_or_wider
from offloader.errors import Problem


def check_schema(manifest: Manifest, dataset: Dataset, *, file: str = "manifest") -> list[Problem]:
    """Return everything that makes a snapshot incompatible, none when it may be served.

    `file` is how problems name the manifest.
    """
    problems = []
    if manifest.dataset_id != dataset.id:
        message = f"it is a manifest of the dataset {shown(manifest.dataset_id)}"
        hint = f"publish one whose dataset_id is {shown(dataset.id)} or point the dataset elsewhere"
        problems.append(Problem(file, "dataset_id", "dataset_differs", message, hint))
    offered = {column.name: (index, column) for index, column in enumerate(manifest.columns)}
    extra = [column for column in manifest.columns if not _has(dataset.columns, column.name)]
    for index, wanted in enumerate(dataset.columns):
        if wanted.name in offered:
            position, column = offered[wanted.name]
            problems += _check_type(file, position, column, wanted)
        else:
            problems.append(_missing(file, index, wanted, manifest, extra))
    if manifest.compatibility_policy == "exact":
        problems += [_extra(file, offered[column.name][0], column) for column in extra]
    return problems


def served_columns(manifest: Manifest, dataset: Dataset) -> tuple[Column, ...]:
    """Return the contract's columns in the contract's order, each in the manifest's type.

    The manifest's type is the same or wider once `check_schema` found nothing. Raises KeyError
    for a column the manifest lacks.
    """
    offered = {column.name: column for column in manifest.columns}
    return tuple(offered[column.name] for column in dataset.columns)


def _check_type(file: str, index: int, offered: Column, wanted: Column) -> list[Problem]:
    if is_same_or_wider(offered.type, wanted.type):
        return []
    is_narrower = is_same_or_wider(wanted.type, offered.type)
    what = "narrower than" if is_narrower else "not"
    message = f"{shown(offered.name)} is {offered.type}, {what} the contract's {wanted.type}"
    hint = f"publish it as {wanted.type}, or change the dataset's schema and its endpoints"
    code = "type_narrowed" if is_narrower else "type_changed"
    return [Problem(file, f"schema[{index}].type", code, message, hint)]


def _missing(
    file: str, index: int, wanted: Column, manifest: Manifest, extra: Sequence[Column]
) -> Problem:
    successor = _successor(index, wanted, manifest, extra)
    if successor is None:
        message = f"the contract's column {shown(wanted.name)} is not there"
        hint = "publish it again, or take it out of the dataset's schema and its endpoints"
        return Problem(file, "schema", "column_dropped", message, hint)
    message = f"the contract's column {shown(wanted.name)} is now {shown(successor.name)}"
    hint = f"publish it as {shown(wanted.name)}, or rename it in the dataset and its endpoints"
    return Problem(file, "schema", "column_renamed", message, hint)


def _successor(
    index: int, wanted: Column, manifest: Manifest, extra: Sequence[Column]
) -> Column | None:
    fitting = [column for column in extra if is_same_or_wider(column.type, wanted.type)]
    for column in fitting:
        if _plain(column.name) == _plain(wanted.name):
            return column
    if index < len(manifest.columns) and manifest.columns[index] in fitting:
        return manifest.columns[index]
    return None


def _extra(file: str, index: int, column: Column) -> Problem:
    message = f"{shown(column.name)} is not in the contract and the policy is exact"
    hint = "add it to the dataset's schema, or publish with the policy additive_only"
    return Problem(file, f"schema[{index}].name", "column_extra", message, hint)


def _has(columns: Sequence[Column], name: str) -> bool:
    return any(column.name == name for column in columns)


def _plain(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())
