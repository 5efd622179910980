"""The validated catalog: what a project says, as frozen values. Nothing here reads a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from offloader.catalog.types import ColumnType

ParamType = Literal["string", "integer", "number", "boolean", "date", "timestamp", "enum"]
FilterOp = Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "prefix"]
Agg = Literal["sum", "avg", "min", "max", "count", "count_distinct"]
ServingMode = Literal["local_table", "remote_scan"]
# A value as a project states it and as a parsed request carries it. Dates travel as days since
# 1970-01-01 (int), timestamps as microseconds since 1970-01-01T00:00:00Z (int).
ParamValue = str | int | float | bool

RESERVED_PARAMS = frozenset({"limit", "offset", "columns", "cursor"})


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a dataset's contract."""

    name: str
    type: ColumnType


@dataclass(frozen=True, slots=True)
class Guards:
    """Bounds a snapshot must keep; None or empty means no bound."""

    min_rows: int | None = None
    max_row_drop_percent: float | None = None
    max_row_growth_percent: float | None = None
    max_age_minutes: float | None = None
    unique: tuple[str, ...] = ()
    not_null: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DatabricksSource:
    """A folder of Databricks output, where the newest commit marker names the snapshot."""

    bucket: str
    prefix: str
    interval_seconds: float


@dataclass(frozen=True, slots=True)
class Dataset:
    """One dataset's contract. Exactly one of `manifest` and `source` is set."""

    id: str
    columns: tuple[Column, ...]
    description: str = ""
    tenant_column: str | None = None
    manifest: str | None = None
    source: DatabricksSource | None = None
    refresh_interval_seconds: float | None = None
    required: bool = True
    guards: Guards = field(default_factory=Guards)
    pin: str | None = None

    def column(self, name: str) -> Column:
        """Return the column called `name`; raise KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Param:
    """One client parameter of an endpoint.

    `default`, `min` and `max` are already of the param's type (see ParamValue). `aliases` maps a
    client's text to the stored text; it is applied before the type is parsed.
    """

    name: str
    type: ParamType
    required: bool = False
    default: ParamValue | None = None
    enum: tuple[str, ...] = ()
    min: ParamValue | None = None
    max: ParamValue | None = None
    max_length: int = 256
    aliases: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Select:
    """One output column: `column` under the name `alias`, aggregated when `agg` is set."""

    alias: str
    column: str
    agg: Agg | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """`column op value of param`; applied when the param is sent or has a default."""

    column: str
    op: FilterOp
    param: str


@dataclass(frozen=True, slots=True)
class Order:
    """Order by a select alias; nulls are last in both directions."""

    alias: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One named, read-only query over one dataset.

    `columns` is the allowlist in select order. `digest` is the xxh3-128 hex digest of everything
    in the contract that can change a body.
    """

    name: str
    version: int
    dataset: str
    select: tuple[Select, ...]
    columns: tuple[str, ...]
    owner: str = ""
    description: str = ""
    serving_mode: ServingMode = "local_table"
    tenant_column: str | None = None
    max_staleness_minutes: float | None = None
    params: tuple[Param, ...] = ()
    combinations: tuple[frozenset[str], ...] = ()
    filters: tuple[Filter, ...] = ()
    group_by: tuple[str, ...] = ()
    order_by: tuple[Order, ...] = ()
    default_limit: int = 50
    max_limit: int = 100
    cache_policy: Literal["none", "snapshot"] = "none"
    digest: str = ""

    @property
    def is_aggregate(self) -> bool:
        """Whether rows are groups: an aggregate is selected or group_by is given."""
        return bool(self.group_by) or any(item.agg for item in self.select)


@dataclass(frozen=True, slots=True)
class Key:
    """One API key; `hash` is the lowercase hex SHA-256 of the bearer token.

    `endpoints` is a set of endpoint names. `expires_at` is in seconds since the epoch.
    """

    id: str
    hash: str
    tenant: str | None
    endpoints: frozenset[str]
    is_active: bool = True
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Catalog:
    """A whole validated project.

    `revision` is the xxh3-128 hex digest of the documents it was made from: the same project has
    the same revision on every host.
    """

    auth_required: bool
    datasets: Mapping[str, Dataset]
    endpoints: Mapping[str, Endpoint]
    keys: tuple[Key, ...]
    object_store_mode: str = ""
    revision: str = ""

    def endpoints_of(self, dataset_id: str) -> tuple[Endpoint, ...]:
        """Return the endpoints served from one dataset, by name."""
        return tuple(e for _, e in sorted(self.endpoints.items()) if e.dataset == dataset_id)
