"""What `/diagnostics` says of a dataset's access paths: those there are, and why not others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from offloader.catalog.model import Dataset, Endpoint
from offloader.segment.path_choice import PathChoice, PathSpec, choose_paths, path_for
from offloader.segment.path_ways import ways_of
from offloader.segment.read import Segment
from offloader.service.worker.generation import Generation


def path_status(generation: Generation, name: str) -> dict[str, Any]:
    """Return the fields of one dataset; all are empty before its first segment.

    `access_paths` are those of the segment, `dropped_access_paths` those the budget has no room
    for. `endpoint_paths` has, for each way to call an endpoint, the path that serves it best.
    """
    dataset, opened = generation.catalog.datasets.get(name), generation.opened.get(name)
    if dataset is None or opened is None:
        return {"access_paths": [], "dropped_access_paths": [], "endpoint_paths": {}}
    segment, endpoints = opened.segment, generation.catalog.endpoints_of(name)
    choices = choose_paths(dataset, endpoints, segment.row_count)
    return {
        "access_paths": _paths(segment, choices),
        "dropped_access_paths": [
            {
                "columns": list(one.spec.columns),
                "endpoints": list(one.wanted_by),
                "reason": one.reason,
            }
            for one in choices
            if not one.kept
        ],
        "endpoint_paths": {e.name: _ways(dataset, e, segment) for e in endpoints},
    }


def _paths(segment: Segment, choices: Sequence[PathChoice]) -> list[dict[str, Any]]:
    wanted_by = {choice.spec.columns: choice.wanted_by for choice in choices}
    return [
        {
            "columns": list(path.columns),
            "key_columns": list(path.key_columns),
            "distinct_keys": len(path.keys),
            "bytes": path.size_bytes,
            "endpoints": list(wanted_by.get(path.columns, ())),
        }
        for path in segment.paths
    ]


def _ways(dataset: Dataset, endpoint: Endpoint, segment: Segment) -> list[dict[str, Any]]:
    specs = [PathSpec(path.columns) for path in segment.paths]
    shown = []
    for way in ways_of(dataset, endpoint):
        path = path_for(way, specs)
        shown.append({"params": list(way.params), "path": list(path.columns) if path else None})
    return shown
