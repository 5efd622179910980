"""From a draft without problems to an Endpoint, and the digest of what shapes its bodies."""

from __future__ import annotations

from dataclasses import replace

import xxhash

from offloader.catalog.endpoint import EndpointDraft
from offloader.catalog.model import Endpoint, Filter, Order, Param, Select
from offloader.catalog.strict_json import canonical_json


def digest_of(document: object) -> str:
    """Return the xxh3-128 hex digest of a JSON value's canonical text."""
    return xxhash.xxh3_128_hexdigest(canonical_json(document))


def build_endpoint(draft: EndpointDraft) -> Endpoint:
    """Return the endpoint of a draft in which no problem was found."""
    query = draft.query
    select = tuple(Select(item.alias, item.column, item.agg) for item in query.select or ())
    allowed = draft.columns or tuple(item.alias for item in select)
    filters = query.filters or ()
    endpoint = Endpoint(
        name=draft.name,
        version=draft.version,
        dataset=draft.dataset,
        select=select,
        columns=tuple(item.alias for item in select if item.alias in allowed),
        owner=draft.owner,
        description=draft.description,
        serving_mode=draft.serving_mode,
        tenant_column=draft.tenant_column,
        max_staleness_minutes=draft.max_staleness_minutes,
        params=tuple(param.param for param in draft.params or () if param.param),
        combinations=tuple(frozenset(names) for names in draft.combinations),
        filters=tuple(Filter(item.column, item.op, item.param) for item in filters if item.op),
        group_by=query.group_by or (),
        order_by=tuple(Order(item.alias, item.descending) for item in query.order_by),
        default_limit=draft.default_limit,
        max_limit=draft.max_limit,
        cache_policy=draft.cache_policy,
    )
    return replace(endpoint, digest=digest_of(_body_contract(endpoint)))


def _body_contract(endpoint: Endpoint) -> dict[str, object]:
    """Return all that can change a body: not the owner, the description or the cache policy."""
    return {
        "name": endpoint.name,
        "version": endpoint.version,
        "dataset": endpoint.dataset,
        "select": [[item.alias, item.column, item.agg] for item in endpoint.select],
        "columns": endpoint.columns,
        "serving_mode": endpoint.serving_mode,
        "tenant_column": endpoint.tenant_column,
        "max_staleness_minutes": endpoint.max_staleness_minutes,
        "params": [_param_contract(param) for param in endpoint.params],
        "combinations": sorted(sorted(names) for names in endpoint.combinations),
        "filters": [[item.column, item.op, item.param] for item in endpoint.filters],
        "group_by": endpoint.group_by,
        "order_by": [[item.alias, item.descending] for item in endpoint.order_by],
        "default_limit": endpoint.default_limit,
        "max_limit": endpoint.max_limit,
    }


def _param_contract(param: Param) -> list[object]:
    bounds = [param.default, param.min, param.max, param.max_length]
    return [param.name, param.type, param.required, param.enum, bounds, dict(param.aliases)]
