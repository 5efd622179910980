"""A generation in a worker: the complete, immutable serving state that requests read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from offloader.catalog.documents import parse_documents
from offloader.catalog.model import Catalog, Endpoint, Key
from offloader.errors import RequestError
from offloader.query.encode import encode_json
from offloader.query.execute import run
from offloader.query.params import bind
from offloader.query.plan import Plan, compile_plan
from offloader.segment.layout import Buffer
from offloader.segment.read import Segment, open_segment
from offloader.service.state import Snapshot


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """One endpoint; `plan` is None until its dataset has a snapshot."""

    endpoint: Endpoint
    plan: Plan | None


@dataclass(frozen=True, slots=True, eq=False)
class Generation:
    """One generation. `keys` is by the token's hash, `rows` are the endpoints' counter rows.

    `segment_bytes` is the size of each dataset's parts.
    """

    number: int
    catalog: Catalog
    endpoints: Mapping[str, Served]
    keys: Mapping[str, Key]
    snapshots: Mapping[str, Snapshot]
    segment_bytes: Mapping[str, int]
    rows: Mapping[str, int]

    def missing(self) -> list[str]:
        """Return the required datasets that have no snapshot."""
        datasets = self.catalog.datasets.values()
        return [d.id for d in datasets if d.required and d.id not in self.snapshots]


def assemble(number: int, document: Mapping[str, Any], part: Callable[[str], Buffer]) -> Generation:
    """Parse the contracts, open the segments, compile every plan and try each one.

    `part` returns a mapped part by id. Raises OffloaderError or ValueError when the generation
    cannot be served: the one before goes on.
    """
    catalog = parse_documents(document["documents"])
    segments: dict[str, Segment] = {}
    segment_bytes = {}
    for dataset_id, entry in document["snapshots"].items():
        columns, *paths = (part(part_id) for part_id in entry["parts"])
        segments[dataset_id] = open_segment(columns, paths)
        segment_bytes[dataset_id] = len(columns) + sum(map(len, paths))
    served = {}
    for name, endpoint in catalog.endpoints.items():
        segment = segments.get(endpoint.dataset)
        plan = None
        if segment is not None:
            plan = compile_plan(catalog.datasets[endpoint.dataset], endpoint, segment)
            _try(plan)
        served[name] = Served(endpoint, plan)
    entries = document["snapshots"].items()
    return Generation(
        number=number,
        catalog=catalog,
        endpoints=served,
        keys={key.hash: key for key in catalog.keys},
        snapshots={dataset_id: Snapshot(**entry["snapshot"]) for dataset_id, entry in entries},
        segment_bytes=segment_bytes,
        rows=document["rows"],
    )


def _try(plan: Plan) -> None:
    """Answer one request that reads little: the smoke query before a generation is served."""
    try:
        bound = bind(plan, [("limit", "1")])
    except RequestError:
        return  # it has required params, and any value of them might be a wrong one
    tenant = "" if plan.tenant is not None else None
    if plan.tenant is None and plan.endpoint.is_aggregate:
        return  # it would read every row
    encode_json(plan, bound, run(plan, bound, tenant), stale=False)
