"""The deliberate defects: what is wrong, which check catches it, and the code it ends with."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sound_project import (
    COLUMNS,
    DATA,
    DATASET,
    ENDPOINT,
    MANIFEST,
    Project,
    as_json,
    publish,
)

Spoil = Callable[[Project], object]


@dataclass(frozen=True)
class Defect:
    """One thing wrong with an otherwise sound project; `result` is the code it is refused with."""

    name: str
    caught_by: str
    result: str
    what: str
    spoil: Spoil


def _configure(path: str, old: str, new: str) -> Spoil:
    """Replace a text, which must be there, in a file of the configuration."""
    return lambda project: project.update({path: _replaced(project[path], old, new)})


def _state(change: Callable[[dict[str, Any]], object]) -> Spoil:
    """Make the manifest alone say something else."""

    def spoil(project: Project) -> None:
        document = json.loads(project[MANIFEST])
        change(document)
        project[MANIFEST] = as_json(document)

    return spoil


def _state_file(**changes: object) -> Spoil:
    return _state(lambda manifest: manifest["files"][0].update(changes))


def _tamper(old: str, new: str) -> Spoil:
    """Change the data after its manifest was written."""
    return _configure(DATA, old, new)


def _hold(old: str, new: str | bytes) -> Spoil:
    """Publish other data, under a manifest that is true of it."""
    return lambda project: publish(project, _replaced(project[DATA], old, new))


def _replaced(content: bytes, old: str, new: str | bytes) -> bytes:
    if old.encode() not in content:
        raise ValueError(f"{old!r} must be there to be replaced")
    return content.replace(old.encode(), new if isinstance(new, bytes) else new.encode())


def _rename_column(project: Project) -> None:
    columns = {("calls" if name == "api_calls" else name): kind for name, kind in COLUMNS.items()}
    publish(project, _replaced(project[DATA], "api_calls", "calls"), columns=columns)


def _drop_column(project: Project) -> None:
    rows = [line.split(",", 4) for line in project[DATA].decode().splitlines()]
    content = "".join(f"{','.join(row[:3] + row[4:])}\n" for row in rows)
    columns = {name: kind for name, kind in COLUMNS.items() if name != "api_calls"}
    publish(project, content.encode(), columns=columns)


def _add_column(project: Project) -> None:
    lines = project[DATA].decode().splitlines()
    cells = ["region", *["eu"] * (len(lines) - 1)]
    content = "".join(f"{line},{cell}\n" for line, cell in zip(lines, cells, strict=True))
    publish(project, content.encode(), columns={**COLUMNS, "region": "VARCHAR"})


def _add_column_under_exact(project: Project) -> None:
    _add_column(project)
    _state(lambda manifest: manifest.update(compatibility_policy="exact"))(project)


def _add_undeclared_column(project: Project) -> None:
    _add_column(project)
    _state(lambda manifest: manifest["schema"].pop())(project)


def _cut_parquet(project: Project) -> None:
    publish(project, b"PAR1" + bytes(range(256)), path="snapshot/part-0.parquet")
    _claim_rows(4)(project)


def _claim_rows(count: int) -> Spoil:
    return _state(lambda m: (m.update(row_count=count), m["files"][0].update(row_count=count)))


def _keep_two_rows(project: Project) -> None:
    publish(project, b"".join(project[DATA].splitlines(keepends=True)[:3]))


def _go_public(project: Project) -> None:
    project["offloader.yml"] = b"version: 1\nauth: none\n"
    del project["keys/keys.yml"]


def _repeat_endpoint(project: Project) -> None:
    project["endpoints/usage_copy.yml"] = project[ENDPOINT]


def _repeat_column(manifest: dict[str, Any]) -> None:
    manifest["schema"].append({"name": "api_calls", "type": "BIGINT"})


CONFIGURATION = (
    ("unknown-key", "unknown_key", "`owner` is spelled `onwer`",
     _configure(ENDPOINT, "owner:", "onwer:")),
    ("dangling-dataset", "unknown_dataset", "the endpoint's dataset does not exist",
     _configure(ENDPOINT, "dataset: usage", "dataset: usages")),
    ("path-leaves-project", "path_leaves_project", "the manifest's path begins with `../`",
     _configure(DATASET, "manifest: ", "manifest: ../")),
    ("auth-none-with-tenant", "auth_none_with_tenant", "a public project serves a tenant's rows",
     _go_public),
    ("duplicate-id", "duplicate_id", "two files declare the same endpoint", _repeat_endpoint),
)  # fmt: skip
MANIFESTS = (
    ("missing-field", "missing_key", "there is no `watermark`",
     _state(lambda m: m.pop("watermark"))),
    ("bad-snapshot-id", "bad_snapshot_id", "the snapshot's id has a slash and spaces",
     _state(lambda m: m.update(snapshot_id="june / first"))),
    ("failed-quality", "quality_failed", "the producer's own checks failed",
     _state(lambda m: m.update(data_quality_status="failed"))),
    ("duplicate-column", "duplicate_column", "`api_calls` is declared twice",
     _state(_repeat_column)),
    ("unsupported-type", "bad_column_type", "a column is declared as `BLOB`",
     _state(lambda m: m["schema"][4].update(type="BLOB"))),
    ("data-leaves-project", "path_leaves_project", "a data file's path begins with `../../`",
     _state_file(path="../../part-0.csv")),
    ("wrong-total", "row_count_sum", "the total is not the sum over the files",
     _state(lambda m: m.update(row_count=5))),
)  # fmt: skip
COMPATIBILITY = (
    ("dropped-column", "column_dropped", "`api_calls` is no longer published", _drop_column),
    ("renamed-column", "column_renamed", "`api_calls` is published as `calls`", _rename_column),
    ("narrowed-type", "type_narrowed", "`api_calls` is INTEGER, the contract says BIGINT",
     _state(lambda m: m["schema"][3].update(type="INTEGER"))),
    ("extra-column-under-exact", "column_extra", "`region` is new, the policy is `exact`",
     _add_column_under_exact),
)  # fmt: skip
FILES = (
    ("missing-file", "file_missing", "the manifest lists a file that is not there",
     lambda project: project.pop(DATA)),
    ("short-file", "file_size_differs", "the file was cut after its manifest was written",
     _tamper("tenant_b,acct_9,2026-05-31,41,[]\n", "tenant_b,acct_9,")),
    ("wrong-checksum", "file_checksum_differs", "a digit of the data changed, the size did not",
     _tamper("120", "121")),
    ("wrong-row-count", "file_row_count_differs", "4 rows, the manifest says 3", _claim_rows(3)),
    ("undeclared-column", "file_column_undeclared", "the file has a column that `schema` lacks",
     _add_undeclared_column),
    ("truncated-parquet", "file_unreadable", "a Parquet file ends before its footer", _cut_parquet),
    ("bad-csv-value", "value_invalid", "`n/a` in a column of numbers", _hold(",98,", ",n/a,")),
    ("invalid-json-text", "json_invalid", "a JSON column holds `[`", _hold(",[]", ",[")),
    ("not-utf8", "text_not_utf8", "an account's id is Latin-1", _hold("acct_9", b"acct_\xe9")),
)  # fmt: skip
GUARDS = (
    ("too-few-rows", "too_few_rows", "2 rows, the guard wants 3", _keep_two_rows),
    ("duplicate-keys", "duplicate_keys", "an account's day stands there twice",
     _hold("acct_1,2026-05-31", "acct_1,2026-05-30")),
    ("nulls", "null_values", "an account's id is empty", _hold("acct_9", "")),
    ("too-old", "too_old", "the watermark is a year old",
     _state(lambda m: m.update(watermark="2025-06-01T00:00:00Z"))),
)  # fmt: skip

DEFECTS = tuple(
    Defect(name, caught_by, result, what, spoil)
    for caught_by, group in (
        ("configuration", CONFIGURATION),
        ("manifest", MANIFESTS),
        ("compatibility", COMPATIBILITY),
        ("files", FILES),
        ("guards", GUARDS),
    )
    for name, result, what, spoil in group
)
