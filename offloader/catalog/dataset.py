"""datasets/*.yml: the contract of one dataset."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from offloader.catalog.fields import Fields
from offloader.catalog.model import Column, DatabricksSource, Dataset, Guards
from offloader.catalog.problems import Problems, described
from offloader.catalog.text_rules import (
    MAX_PATH_LENGTH,
    SNAPSHOT_ID,
    location_fault,
    path_fault,
    repeats,
)
from offloader.catalog.types import ColumnType, Kind, parse_type

DATASET_FIELDS = (
    "id", "description", "schema", "tenant_column", "manifest", "source", "refresh", "required",
    "guards", "pin",
)  # fmt: skip
COLUMN_FIELDS = ("name", "type")
SOURCE_FIELDS = ("type", "bucket", "prefix", "interval_seconds")
REFRESH_FIELDS = ("interval_seconds",)
GUARD_FIELDS = (
    "min_rows", "max_row_drop_percent", "max_row_growth_percent", "max_age_minutes", "unique",
    "not_null",
)  # fmt: skip
SOURCE_TYPES = ("databricks",)
TENANT_KINDS = (Kind.VARCHAR, Kind.INTEGER, Kind.BIGINT)
BUCKET_PATTERN = "((gs|s3)://)?[a-z0-9][a-z0-9._-]{1,221}"

MAX_COLUMNS = 1000
MAX_ROWS = 2**32 - 1  # a segment numbers its rows with 32 bits
MIN_INTERVAL_SECONDS, MAX_INTERVAL_SECONDS = 0.1, 604_800.0
MAX_DROP_PERCENT, MAX_GROWTH_PERCENT = 100.0, 1e9
MIN_MINUTES, MAX_MINUTES = 0.001, 5_256_000.0  # ten years

_BUCKET = re.compile(BUCKET_PATTERN)


@dataclass(frozen=True, slots=True)
class DatasetDraft:
    """A dataset as far as it could be read; complete only when no problem was found.

    `types` has every column whose name is valid, None where the type is not; it is None itself
    when the schema could not be read at all, so that nothing is known about its columns.
    `is_tenant_known` is False when a tenant_column is written but refused.
    """

    fields: Fields
    dataset: Dataset
    is_tenant_known: bool
    types: Mapping[str, ColumnType | None] | None


def read_dataset(document: object, file: str, problems: Problems) -> DatasetDraft:
    """Read one dataset file."""
    fields = Fields(document, DATASET_FIELDS, file, "", problems)
    types = _read_schema(fields)
    source = fields.section("source", SOURCE_FIELDS)
    refresh = fields.section("refresh", REFRESH_FIELDS)
    _check_origin(fields)
    dataset = Dataset(
        id=fields.identifier("id"),
        columns=tuple(Column(name, kind) for name, kind in (types or {}).items() if kind),
        description=fields.text("description", empty=True),
        tenant_column=_read_tenant_column(fields, types),
        manifest=_read_manifest(fields),
        source=_read_source(source) if source else None,
        refresh_interval_seconds=_read_interval(refresh) if refresh else None,
        required=fields.flag("required", default=True),
        guards=_read_guards(fields.section("guards", GUARD_FIELDS), types),
        pin=_read_pin(fields),
    )
    is_tenant_known = bool(dataset.tenant_column) or not fields.has("tenant_column")
    return DatasetDraft(fields, dataset, is_tenant_known, types)


def _read_schema(fields: Fields) -> dict[str, ColumnType | None] | None:
    items = fields.sections("schema", COLUMN_FIELDS, required=True, most=MAX_COLUMNS)
    if items is None:
        return None
    names = [item.identifier("name") for item in items]
    for index in repeats(names):
        message = f"the column {names[index]} is already in the schema"
        items[index].problem("name", "duplicate_column", message, "drop or rename one of the two")
    types: dict[str, ColumnType | None] = {}
    for name, item in zip(names, items, strict=True):
        column_type = _read_type(item)
        if name:
            types.setdefault(name, column_type)
    return types


def _read_type(item: Fields) -> ColumnType | None:
    text = item.text("type", required=True)
    if not text:
        return None
    try:
        return parse_type(text)
    except ValueError:
        hint = f"use one of {', '.join(kind for kind in Kind)}; DECIMAL as DECIMAL(18,2)"
        message = f"{described(text)} is not a column type"
        item.problem("type", "bad_column_type", message, hint)
        return None


def _read_tenant_column(
    fields: Fields, types: Mapping[str, ColumnType | None] | None
) -> str | None:
    """Return the tenant column; None when there is none or it was refused."""
    name = fields.identifier("tenant_column", required=False)
    if not name or (types is not None and not _is_known(fields, "tenant_column", name, types)):
        return None
    column_type = types.get(name) if types else None
    if column_type and column_type.kind not in TENANT_KINDS:
        message = f"a tenant column cannot be {column_type}"
        hint = f"use {', '.join(TENANT_KINDS)}: convert it in the pipeline"
        fields.problem("tenant_column", "tenant_type", message, hint)
        return None
    return name


def _is_known(
    fields: Fields, place: str, name: str, types: Mapping[str, ColumnType | None]
) -> bool:
    if name not in types:
        message = f"{name} is not a column of the schema"
        fields.problem(place, "unknown_column", message, fields.nearest(name, tuple(types)))
    return name in types


def _check_origin(fields: Fields) -> None:
    if not fields.is_mapping:
        return
    has_manifest, has_source = fields.has("manifest"), fields.has("source")
    if has_manifest and has_source:
        message = "both manifest and source are set"
        fields.problem("source", "origin_twice", message, "keep exactly one of the two")
    if not has_manifest and not has_source:
        message = "neither manifest nor source is set"
        fields.problem("manifest", "origin_missing", message, "add manifest: path/manifest.json")
    if has_source and fields.has("refresh"):
        message = "refresh is for a manifest"
        hint = "remove refresh: source has its own interval_seconds"
        fields.problem("refresh", "refresh_with_source", message, hint)


def _read_manifest(fields: Fields) -> str | None:
    manifest = fields.text("manifest", max_length=MAX_PATH_LENGTH)
    fault = location_fault(manifest) if manifest else None
    if fault:
        fields.problem("manifest", *fault)
    return manifest or None


def _read_source(fields: Fields) -> DatabricksSource:
    fields.choice("type", SOURCE_TYPES, required=True)
    bucket = fields.text("bucket", required=True)
    if bucket and not _BUCKET.fullmatch(bucket):
        message = f"{described(bucket)} is not a bucket's name"
        hint = "write my-bucket, gs://my-bucket or s3://my-bucket"
        fields.problem("bucket", "bad_bucket", message, hint)
    prefix = fields.text("prefix", required=True, empty=True, max_length=MAX_PATH_LENGTH)
    fault = path_fault(prefix)
    if fault:
        fields.problem("prefix", *fault)
    return DatabricksSource(bucket, prefix, _read_interval(fields) or 0.0)


def _read_interval(fields: Fields) -> float | None:
    low, high = MIN_INTERVAL_SECONDS, MAX_INTERVAL_SECONDS
    return fields.number("interval_seconds", low, high, required=True)


def _read_guards(fields: Fields | None, types: Mapping[str, ColumnType | None] | None) -> Guards:
    if fields is None:
        return Guards()
    return Guards(
        min_rows=fields.whole("min_rows", 0, MAX_ROWS),
        max_row_drop_percent=fields.number("max_row_drop_percent", 0, MAX_DROP_PERCENT),
        max_row_growth_percent=fields.number("max_row_growth_percent", 0, MAX_GROWTH_PERCENT),
        max_age_minutes=fields.number("max_age_minutes", MIN_MINUTES, MAX_MINUTES),
        unique=_read_guarded(fields, "unique", types),
        not_null=_read_guarded(fields, "not_null", types),
    )


def _read_guarded(
    fields: Fields, name: str, types: Mapping[str, ColumnType | None] | None
) -> tuple[str, ...]:
    columns = fields.names(name) or ()
    for index, column in enumerate(columns):
        place = f"{name}[{index}]"
        if not column or types is None or not _is_known(fields, place, column, types):
            continue
        column_type = types[column]
        if name == "unique" and column_type and column_type.kind is Kind.JSON:
            message = f"{column} is JSON, which has no equality"
            fields.problem(place, "json_not_comparable", message, "name another column")
    return columns


def _read_pin(fields: Fields) -> str | None:
    pin = fields.text("pin")
    if pin and not SNAPSHOT_ID.fullmatch(pin):
        message = f"{described(pin)} is not a snapshot id"
        hint = "use letters, digits and : _ . - only, at most 200 characters"
        fields.problem("pin", "bad_snapshot_id", message, hint)
    return pin or None
