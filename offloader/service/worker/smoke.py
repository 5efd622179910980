"""The smoke query: one small request an endpoint answers before its generation is served.

It is made from the endpoint's own contract and the first row of its data, so that it finds
something where it can. Where it would read many rows it is answered from none, which takes the
same way through the code.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from offloader.catalog.model import Endpoint, Param
from offloader.catalog.values import format_value, parse_list, parse_value
from offloader.errors import RequestError
from offloader.query.cell_text import cell_texts
from offloader.query.cells import read_cells
from offloader.query.encode import encode_json
from offloader.query.execute import rows_to_read, run
from offloader.query.locate import locate
from offloader.query.located import nothing
from offloader.query.params import Bound, bind
from offloader.query.plan import Plan
from offloader.segment.read import ColumnView

# Every worker tries every new plan, so this is read many times over at a swap.
MAX_SMOKE_ROWS = 10_000
_MICROSECONDS_A_DAY = 86_400_000_000


def try_plan(plan: Plan) -> None:
    """Answer one small request; raise ValueError, naming the endpoint, when that fails."""
    try:
        bound = smoke_request(plan)
        if bound is None:
            return
        tenant = None if plan.tenant is None else _first_text(plan.tenant) or ""
        located = locate(plan, bound, tenant)
        if rows_to_read(plan, bound, located) > MAX_SMOKE_ROWS:
            located = nothing()
        encode_json(plan, bound, run(plan, bound, tenant, located), stale=False)
    except Exception as error:
        what = f"endpoint {plan.endpoint.name} does not answer: {type(error).__name__}: {error}"
        raise ValueError(what) from error


def smoke_request(plan: Plan) -> Bound | None:
    """Return a request with every param that must be sent; None when no value for one is known."""
    sent = {"limit": "1"}
    for param in _params_to_send(plan.endpoint):
        text = _sample(plan, param)
        if text is None:
            return None
        sent[param.name] = text
    try:
        return bind(plan.signature, sent)
    except RequestError:
        return None  # the contract allows no such request: nor can a caller send it


def _params_to_send(endpoint: Endpoint) -> list[Param]:
    """Return the required params, or those of the first combination that has all of them."""
    needed = {param.name for param in endpoint.params if param.required}
    allowed = (names for names in endpoint.combinations if needed <= names)
    names = next(allowed, frozenset(needed))
    return [param for param in endpoint.params if param.name in names]


def _sample(plan: Plan, param: Param) -> str | None:
    """Return a text the param accepts, of the first row if possible, else of its contract."""
    parse: Callable[[Param, str], object] = parse_value
    if param.name in plan.signature.list_params:
        parse = parse_list
    views = [item.view for item in plan.filters if item.param == param.name]
    of_data = [text for text in map(_first_text, views) if text is not None]
    for text in (*of_data, *param.enum, _plausible(param, plan.segment.watermark)):
        try:
            parse(param, text)
        except ValueError:
            continue
        return text
    return None


def _first_text(view: ColumnView) -> str | None:
    """Return the first row's value as a caller would send it; None for null and without a row."""
    if view.row_count == 0:
        return None
    value = json.loads(cell_texts(read_cells(view, slice(0, 1)))[0], parse_float=str)
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def _plausible(param: Param, watermark: int) -> str:
    """Return a value of the param's type that is within its bounds."""
    if param.type in ("string", "enum"):
        return "a"
    if param.type == "boolean":
        return "true"
    moments = {"date": watermark // _MICROSECONDS_A_DAY, "timestamp": watermark}
    value: int | float = moments.get(param.type, 0)
    if isinstance(param.min, int | float):
        value = max(value, param.min)
    if isinstance(param.max, int | float):
        value = min(value, param.max)
    return format_value(param.type, value)
