"""endpoints/*.yml: one named query, read field by field. `endpoint_check` finds contradictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from offloader.catalog.endpoint_query import QUERY_FIELDS, QueryDraft, read_query
from offloader.catalog.fields import Fields
from offloader.catalog.model import ServingMode
from offloader.catalog.param import PARAM_FIELDS, ParamDraft, read_param
from offloader.catalog.problems import Problems, described
from offloader.catalog.text_rules import repeats

ENDPOINT_FIELDS = (
    "name", "version", "dataset", "owner", "description", "serving_mode", "tenant", "freshness",
    "params", "combinations", "query", "columns", "pagination", "cache",
)  # fmt: skip
TENANT_FIELDS = ("column",)
FRESHNESS_FIELDS = ("max_staleness_minutes",)
PAGINATION_FIELDS = ("default_limit", "max_limit")
CACHE_FIELDS = ("policy",)

SERVING_MODES: tuple[ServingMode, ...] = get_args(ServingMode)
CachePolicy = Literal["none", "snapshot"]
CACHE_POLICIES: tuple[CachePolicy, ...] = ("none", "snapshot")

DEFAULT_LIMIT, DEFAULT_MAX_LIMIT, HIGHEST_LIMIT = 50, 100, 10_000
MAX_VERSION = 2**31 - 1
MAX_PARAMS = 50
MAX_COMBINATIONS = 100
MAX_OWNER_LENGTH = 256
MIN_MINUTES, MAX_MINUTES = 0.001, 5_256_000.0  # ten years


@dataclass(frozen=True, slots=True)
class EndpointDraft:
    """An endpoint as far as it could be read; complete only when no problem was found.

    None stands for what could not be read, so that no check is built on it.
    """

    fields: Fields
    name: str
    version: int
    dataset: str
    owner: str
    description: str
    serving_mode: ServingMode
    tenant_column: str | None
    max_staleness_minutes: float | None
    params: tuple[ParamDraft, ...] | None
    combinations: tuple[tuple[str, ...], ...]
    query: QueryDraft
    columns: tuple[str, ...] | None
    default_limit: int
    max_limit: int
    cache_policy: CachePolicy


def read_endpoint(document: object, file: str, problems: Problems) -> EndpointDraft:
    """Read one endpoint file."""
    fields = Fields(document, ENDPOINT_FIELDS, file, "", problems)
    query = _query(fields)
    default_limit, max_limit = _read_limits(fields)
    tenant = fields.section("tenant", TENANT_FIELDS)
    freshness = fields.section("freshness", FRESHNESS_FIELDS)
    cache = fields.section("cache", CACHE_FIELDS)
    return EndpointDraft(
        fields=fields,
        name=fields.identifier("name"),
        version=fields.whole("version", 1, MAX_VERSION, required=True) or 1,
        dataset=fields.identifier("dataset"),
        owner=fields.text("owner", empty=True, max_length=MAX_OWNER_LENGTH),
        description=fields.text("description", empty=True),
        serving_mode=fields.choice("serving_mode", SERVING_MODES) or "local_table",
        tenant_column=tenant.identifier("column") if tenant else None,
        max_staleness_minutes=_read_staleness(freshness) if freshness else None,
        params=_read_params(fields),
        combinations=_read_combinations(fields),
        query=read_query(query) if query else QueryDraft(None, None, (), ()),
        columns=fields.names("columns"),
        default_limit=default_limit,
        max_limit=max_limit,
        cache_policy=(cache and cache.choice("policy", CACHE_POLICIES, required=True)) or "none",
    )


def _query(fields: Fields) -> Fields | None:
    query = fields.section("query", QUERY_FIELDS)
    if query is None and fields.is_mapping:
        fields.problem("query", "missing_key", "query is required", "add query with a select list")
    return query


def _read_staleness(fields: Fields) -> float | None:
    return fields.number("max_staleness_minutes", MIN_MINUTES, MAX_MINUTES, required=True)


def _read_limits(fields: Fields) -> tuple[int, int]:
    """Return the default and the highest page size; a default left out is at most the highest."""
    pagination = fields.section("pagination", PAGINATION_FIELDS)
    if pagination is None:
        return DEFAULT_LIMIT, DEFAULT_MAX_LIMIT
    max_limit = pagination.whole("max_limit", 1, HIGHEST_LIMIT, default=DEFAULT_MAX_LIMIT)
    default_limit = pagination.whole("default_limit", 1, HIGHEST_LIMIT)
    if default_limit and max_limit and default_limit > max_limit:
        message = f"default_limit {default_limit} is above max_limit {max_limit}"
        hint = "lower default_limit or raise max_limit"
        pagination.problem("default_limit", "default_limit_above_max", message, hint)
    highest = max_limit or DEFAULT_MAX_LIMIT
    return default_limit or min(DEFAULT_LIMIT, highest), highest


def _read_params(fields: Fields) -> tuple[ParamDraft, ...] | None:
    items = fields.sections("params", PARAM_FIELDS, most=MAX_PARAMS)
    if items is None:
        return None
    drafts = tuple(read_param(item) for item in items)
    for index in repeats(draft.name for draft in drafts):
        message = f"the param {drafts[index].name} is already declared"
        items[index].problem("name", "duplicate_param", message, "drop or rename one of the two")
    return drafts


def _read_combinations(fields: Fields) -> tuple[tuple[str, ...], ...]:
    """Return each combination's names; () stands for the one without any param."""
    lists = fields.items("combinations", most=MAX_COMBINATIONS) or ()
    found = [_read_combination(fields, index, names) for index, names in enumerate(lists)]
    for index in repeats("" if "" in names else str(sorted(names)) for names in found):
        message = "this set of params is already in the list"
        place = f"combinations[{index}]"
        fields.problem(place, "duplicate_item", message, "drop one of the two")
    return tuple(found)


def _read_combination(fields: Fields, index: int, names: object) -> tuple[str, ...]:
    """Return the names of one set; ("",) after a problem, so that no check is built on it."""
    place = f"combinations[{index}]"
    if not isinstance(names, list):
        message = f"expected a list of params, found {described(names)}"
        fields.problem(place, "wrong_type", message, "write [param, other_param]")
        return ("",)
    if len(names) > MAX_PARAMS:
        message = f"the list has {len(names)} items, at most {MAX_PARAMS} are allowed"
        fields.problem(place, "list_too_long", message, "name each param once")
        return ("",)
    found = [fields.as_identifier(f"{place}[{i}]", name) for i, name in enumerate(names)]
    for item in repeats(found):
        message = f"{found[item]} is already in the set"
        fields.problem(f"{place}[{item}]", "duplicate_item", message, "drop one of the two")
    return tuple(found)
