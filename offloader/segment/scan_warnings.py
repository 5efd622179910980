"""Warn of endpoints that can be called so that every row must be read. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from offloader.catalog.model import Catalog, Endpoint
from offloader.errors import Problem
from offloader.segment.path_ways import ways_of

# As many rows are looked at in the time that a request takes anyway.
SMALL_ROWS = 100_000


def scan_warnings(
    catalog: Catalog, files: Mapping[str, str], row_counts: Mapping[str, int]
) -> tuple[Problem, ...]:
    """Return one warning `endpoint_scans` for each endpoint that can only scan in some way.

    `files` is by endpoint, `row_counts` by dataset, as far as they are known: datasets of at most
    100,000 rows are not worth a warning.
    """
    found = []
    for name, endpoint in sorted(catalog.endpoints.items()):
        dataset = catalog.datasets[endpoint.dataset]
        is_large = row_counts.get(dataset.id, SMALL_ROWS + 1) > SMALL_ROWS
        if is_large and any(way.is_scan for way in ways_of(dataset, endpoint)):
            path, message, hint = _told(endpoint)
            file = files.get(name, f"endpoint {name}")
            found.append(Problem(file, path, "endpoint_scans", message, hint))
    return tuple(sorted(found))


def _told(endpoint: Endpoint) -> tuple[str, str, str]:
    """Return the place in the file, what is wrong and what to do."""
    narrowing = dict.fromkeys(item.param for item in endpoint.filters if item.op != "ne")
    if narrowing:
        message = f"a call that sends none of {', '.join(narrowing)} reads every row"
        hint = "make one of them required, or list the sets that are allowed in combinations"
        return ("combinations" if endpoint.combinations else "params"), message, hint
    if endpoint.is_aggregate:
        message = "it aggregates every row by nature, and no filter can change that"
        hint = "publish a table that is summed already, or set cache.policy to snapshot"
        return "query", message, hint
    excluding = dict.fromkeys(item.param for item in endpoint.filters)
    message = f"ne looks at every row when {' or '.join(excluding)} is sent"
    return "query.filters", message, "filter by eq, in or a range as well"
