"""Contradictions inside one endpoint: params against filters, select against its references.

A check is skipped where it would only repeat an earlier problem: a list that was refused, or an
item whose name was.
"""

from __future__ import annotations

from collections.abc import Collection

from offloader.catalog.endpoint import EndpointDraft
from offloader.catalog.endpoint_query import FilterDraft, SelectDraft
from offloader.catalog.fields import Fields
from offloader.catalog.model import RESERVED_PARAMS


def check_endpoint(draft: EndpointDraft) -> None:
    """Record every contradiction that the endpoint's file shows by itself."""
    filters = draft.query.filters
    if draft.params is not None and filters is not None:
        _check_param_names(draft, filters)
        _check_param_uses(draft, filters)
    if draft.params is not None:
        _check_combinations(draft)
    if draft.query.select is not None:
        _check_references(draft, draft.query.select)
        _check_grouping(draft, draft.query.select)


def _check_param_names(draft: EndpointDraft, filters: tuple[FilterDraft, ...]) -> None:
    declared = [param.name for param in draft.params or ()]
    used = [item.param for item in filters]
    if "" not in declared:
        for item in filters:
            if item.param and item.param not in declared:
                message = f"{item.param} is not declared in params"
                hint = item.fields.nearest(item.param, declared)
                item.fields.problem("param", "unknown_param", message, hint)
    if "" not in used:
        for param in draft.params or ():
            if param.name and param.name not in used:
                message = f"no filter uses the param {param.name}"
                hint = "add a filter for it to query.filters, or drop the param"
                param.fields.problem("", "param_unused", message, hint)


def _check_param_uses(draft: EndpointDraft, filters: tuple[FilterDraft, ...]) -> None:
    listed = {item.param for item in filters if item.op == "in"}
    single = {item.param for item in filters if item.op not in ("in", None)}
    for item in filters:
        if item.op == "in" and item.param and item.param in single:
            message = f"{item.param} is a list here and a single value in another filter"
            hint = "declare a second param"
            item.fields.problem("param", "param_list_and_value", message, hint)
    for param in draft.params or ():
        default = param.param.default if param.param else None
        if param.name in listed and isinstance(default, str) and "," in default:
            message = "a value of a list cannot hold a comma"
            hint = "a default is one value: drop it, or choose one without a comma"
            param.fields.problem("default", "bad_default", message, hint)


def _check_combinations(draft: EndpointDraft) -> None:
    params = [param for param in draft.params or () if param.name]
    names = [param.name for param in params]
    is_complete = len(names) == len(draft.params or ())
    for index, combination in enumerate(draft.combinations):
        place = f"combinations[{index}]"
        for i, name in enumerate(combination):
            if is_complete and name and name not in names:
                _unknown_in_combination(draft.fields, f"{place}[{i}]", name, names)
        required = [p.name for p in params if p.param and p.param.required]
        missing = [name for name in required if name not in combination]
        if missing and "" not in combination:
            message = f"the required {', '.join(missing)} is missing from this set"
            hint = "add it, or set required: false on the param"
            draft.fields.problem(place, "combination_without_required", message, hint)
    allowed = {name for combination in draft.combinations for name in combination}
    for param in params:
        is_fixed = param.param is None or param.fields.has("default")
        if draft.combinations and "" not in allowed and param.name not in allowed and not is_fixed:
            message = f"no combination allows the param {param.name}"
            hint = "add it to a combination, give it a default, or drop it"
            param.fields.problem("", "param_never_allowed", message, hint)


def _unknown_in_combination(fields: Fields, place: str, name: str, names: list[str]) -> None:
    message = f"{name} is not declared in params"
    hint = fields.nearest(name, names)
    if name in RESERVED_PARAMS:
        hint = f"leave {name} out: reserved params are allowed with every combination"
    fields.problem(place, "unknown_param", message, hint)


def _check_references(draft: EndpointDraft, select: tuple[SelectDraft, ...]) -> None:
    aliases = [item.alias for item in select]
    if "" in aliases:
        return
    for index, name in enumerate(draft.query.group_by or ()):
        _check_alias(draft.fields, f"query.group_by[{index}]", name, aliases)
    for order in draft.query.order_by:
        _check_alias(order.fields, "column", order.alias, aliases)
    for index, name in enumerate(draft.columns or ()):
        _check_alias(draft.fields, f"columns[{index}]", name, aliases)


def _check_alias(fields: Fields, place: str, name: str, aliases: Collection[str]) -> None:
    if name and name not in aliases:
        message = f"{name} is not a name that query.select gives"
        fields.problem(place, "unknown_alias", message, fields.nearest(name, tuple(aliases)))


def _check_grouping(draft: EndpointDraft, select: tuple[SelectDraft, ...]) -> None:
    group_by = draft.query.group_by
    if group_by is None or "" in group_by:
        return
    aggregated = {item.alias for item in select if item.agg}
    for index, name in enumerate(group_by):
        if name in aggregated:
            message = f"{name} is an aggregate: groups are made before it is known"
            hint = "group by plain columns only"
            draft.fields.problem(f"query.group_by[{index}]", "group_by_aggregate", message, hint)
    if not aggregated and not group_by:
        return
    for item in select:
        is_plain = not item.fields.has("agg")
        if is_plain and item.alias and item.alias not in group_by:
            message = f"{item.alias} is neither aggregated nor in group_by"
            hint = "add it to query.group_by, or give it an agg"
            item.fields.problem("", "select_not_grouped", message, hint)
