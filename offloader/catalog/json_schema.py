"""JSON Schemas (2020-12) of the four kinds of project files, for editors.

They state what one file shows by itself. References between files, and rules that join several
fields, are checked by `offloader validate` alone.
"""

from __future__ import annotations

from offloader.catalog import dataset, keys, project
from offloader.catalog.fields import MAX_TEXT
from offloader.catalog.json_schema_endpoint import endpoint_schema
from offloader.catalog.json_schema_parts import (
    Schema,
    choice,
    flag,
    identifier,
    integer,
    items,
    mapping,
    names,
    number,
    text,
    whole,
)
from offloader.catalog.text_rules import MAX_PATH_LENGTH, SNAPSHOT_ID_PATTERN

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_NAMES = ("project", "dataset", "endpoint", "keys")
_COLUMN_TYPE = (
    "BOOLEAN|INTEGER|BIGINT|DOUBLE|VARCHAR|DATE|TIMESTAMP|JSON|"
    r"DECIMAL\( *([1-9]|[12][0-9]|3[0-8]) *, *([0-9]|[12][0-9]|3[0-8]) *\)"
)


def schemas() -> dict[str, Schema]:
    """Return the four schemas by name: project, dataset, endpoint and keys."""
    bodies = (_project(), _dataset(), endpoint_schema(), _keys())
    return {
        name: {"$schema": DIALECT, "title": f"Offloader: {name} file", **body}
        for name, body in zip(SCHEMA_NAMES, bodies, strict=True)
    }


def _project() -> Schema:
    folder = {"minLength": 1, "maxLength": MAX_PATH_LENGTH}
    properties = {
        "version": {
            "const": project.SUPPORTED_VERSION,
            "description": "The version of the project format",
        },
        "datasets_dir": text("The folder of dataset files", default="datasets", **folder),
        "endpoints_dir": text("The folder of endpoint files", default="endpoints", **folder),
        "keys": text("The path of the keys file; left out for a public API", **folder),
        "auth": choice(
            "required asks every caller for a key; none serves anyone",
            project.AUTH_MODES,
            "required",
        ),
        "object_store_mode": text(
            "A label shown in diagnostics", maxLength=project.MAX_LABEL_LENGTH
        ),
    }
    return mapping("A project", properties, ["version"])


def _dataset() -> Schema:
    column = {
        "name": identifier("The column's name"),
        "type": text(
            "The column's type, such as BIGINT or DECIMAL(18,2)", pattern=whole(_COLUMN_TYPE)
        ),
    }
    properties = {
        "id": identifier("The dataset's id"),
        "description": text("What it holds", maxLength=MAX_TEXT),
        "schema": items(
            "The columns that snapshots must have",
            mapping("One column", column, ["name", "type"]),
            minItems=1,
            maxItems=dataset.MAX_COLUMNS,
        ),
        "tenant_column": identifier("The column that keeps tenants apart on every endpoint"),
        "manifest": text(
            "The current manifest: a path inside the project, or a gs://, s3:// or https:// URL",
            minLength=1,
            maxLength=MAX_PATH_LENGTH,
        ),
        "source": _source(),
        "refresh": mapping(
            "How often the manifest is looked at",
            {"interval_seconds": _interval("Seconds; left out: OFFLOADER_REFRESH_INTERVAL")},
            ["interval_seconds"],
        ),
        "required": flag("Whether readiness waits for a snapshot of it", True),
        "guards": _guards(),
        "pin": text("The id of a snapshot to stay on", pattern=whole(SNAPSHOT_ID_PATTERN)),
    }
    origin = {"oneOf": [{"required": ["manifest"]}, {"required": ["source"]}]}
    return {**mapping("One dataset", properties, ["id", "schema"]), **origin}


def _source() -> Schema:
    properties = {
        "type": choice("The kind of source", dataset.SOURCE_TYPES),
        "bucket": text(
            "The bucket: gs://name, s3://name, or a plain name, which is Google's",
            pattern=whole(dataset.BUCKET_PATTERN),
        ),
        "prefix": text("The folder in the bucket", maxLength=MAX_PATH_LENGTH),
        "interval_seconds": _interval("Seconds between looks at the bucket"),
    }
    description = "A folder of Databricks output whose newest commit is the snapshot"
    return mapping(description, properties, list(properties))


def _interval(description: str) -> Schema:
    return number(description, dataset.MIN_INTERVAL_SECONDS, dataset.MAX_INTERVAL_SECONDS)


def _guards() -> Schema:
    percent = "percent that rows may {} by against the previous snapshot"
    return mapping(
        "A snapshot that breaks one is refused",
        {
            "min_rows": integer("The fewest rows", 0, dataset.MAX_ROWS),
            "max_row_drop_percent": number(
                f"The most {percent.format('drop')}", 0, dataset.MAX_DROP_PERCENT
            ),
            "max_row_growth_percent": number(
                f"The most {percent.format('grow')}", 0, dataset.MAX_GROWTH_PERCENT
            ),
            "max_age_minutes": number(
                "The oldest watermark", dataset.MIN_MINUTES, dataset.MAX_MINUTES
            ),
            "unique": names("The columns that together are never repeated", "A column"),
            "not_null": names("The columns that are never null", "A column"),
        },
    )


def _keys() -> Schema:
    properties: dict[str, Schema] = {
        "id": identifier("The key's id, shown in logs"),
        "hash": text(
            "The lower-case hex SHA-256 of the token; the token itself is never stored",
            pattern=whole(keys.HASH_PATTERN),
        ),
        "tenant": {
            "type": ["string", "null"],
            "description": "Whose rows it sees; null for a key without a tenant",
            "minLength": 1,
            "maxLength": keys.MAX_TENANT_LENGTH,
        },
        "endpoints": names("The endpoints it is granted", "An endpoint's name", least=0),
        "status": choice("A revoked key is refused", keys.KEY_STATUSES, "active"),
        "expires_at": {
            "type": ["string", "null"],
            "description": "When it ends: ISO 8601 with a zone",
        },
    }
    key = mapping("One key", properties, ["id", "hash", "endpoints"])
    listed = items("The keys", key, maxItems=keys.MAX_KEYS)
    return mapping("Who may call", {"keys": listed}, ["keys"])
