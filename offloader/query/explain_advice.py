"""What would make a request cheaper: said only where rows are read that are not wanted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from offloader.query.located import Located
from offloader.query.plan import Plan, PlannedFilter
from offloader.segment.path_choice import PathChoice

# Rows that are checked or sorted faster than a request is parsed are not worth a word.
FEW_ROWS = 1000


def advice(
    plan: Plan,
    active: Sequence[PlannedFilter],
    residual: Sequence[PlannedFilter],
    located: Located,
    choices: Sequence[PathChoice],
    *,
    is_scan: bool,
) -> tuple[str, ...]:
    """Return what to change in the endpoint, or in the request, most helpful first."""
    if not is_scan and (not residual or located.count <= FEW_ROWS):
        return ()
    return (
        *_about_paths(plan, located, residual, choices),
        *_about_params(plan, active, is_scan=is_scan),
    )


def _about_paths(
    plan: Plan, located: Located, residual: Sequence[PlannedFilter], choices: Sequence[PathChoice]
) -> Iterator[str]:
    """Tell of operators that no path serves, and of paths that would serve the rest."""
    for item in residual:
        if item.op == "ne":
            yield f"ne on {item.view.name} looks at every row that is found: filter by eq or in"
    wanted = {item.view.name for item in residual if item.op != "ne"}
    had = {path.columns for path in plan.segment.paths}
    for choice in choices:
        columns = choice.spec.columns
        if plan.endpoint.name not in choice.wanted_by or not wanted & set(columns):
            continue
        if not choice.kept:
            yield f"the path ({', '.join(columns)}) would help: {choice.reason}"
        elif columns not in had:
            yield f"the path ({', '.join(columns)}) is not in this segment yet"
    if wanted and located.path is not None and not _is_wanted(wanted, located, choices):
        names = ", ".join(sorted(wanted))
        yield f"no path sorts by {names} as well: one range is looked up, others are checked"


def _is_wanted(wanted: set[str], located: Located, choices: Sequence[PathChoice]) -> bool:
    """Tell whether another path would look up more of what is checked now."""
    now = () if located.path is None else located.path.columns
    return any(wanted & set(one.spec.columns) and one.spec.columns != now for one in choices)


def _about_params(plan: Plan, active: Sequence[PlannedFilter], *, is_scan: bool) -> Iterator[str]:
    """Tell which params would narrow a scan, or that there is none."""
    if not is_scan or any(item.op != "ne" for item in active):
        return
    narrowing = dict.fromkeys(item.param for item in plan.filters if item.op != "ne")
    if narrowing:
        yield (
            f"every row is read unless {' or '.join(narrowing)} is sent: make one required, or list"
            " the allowed sets in combinations"
        )
    elif plan.endpoint.is_aggregate:
        yield (
            "this endpoint aggregates every row by nature: publish a table that is summed already,"
            " or set cache.policy to snapshot"
        )
    else:
        yield "no param narrows this endpoint: add a filter by eq, in or a range"
