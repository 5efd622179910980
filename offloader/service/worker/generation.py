"""A generation in a worker: the complete, immutable serving state that requests read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from offloader.catalog.documents import parse_documents
from offloader.catalog.model import Catalog, Dataset, Endpoint, Key
from offloader.query.plan import Plan, compile_plan
from offloader.segment.layout import Buffer
from offloader.segment.read import Segment, open_segment
from offloader.service.state import Snapshot
from offloader.service.worker.smoke import try_plan


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """One endpoint; `plan` is None until its dataset has a snapshot."""

    endpoint: Endpoint
    plan: Plan | None


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A dataset's segment, the keys of the parts it was opened from, and their bytes together."""

    keys: tuple[str, ...]
    segment: Segment
    size_bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class Generation:
    """One generation. `keys` is by the token's hash, `rows` are the endpoints' counter rows.

    `segment_bytes` is the size of each dataset's parts, `memory` says where they lie: `shared` or
    `page_cache`. `catalog_key` and `opened` let the next generation take over what is the same.
    """

    number: int
    catalog: Catalog
    endpoints: Mapping[str, Served]
    keys: Mapping[str, Key]
    snapshots: Mapping[str, Snapshot]
    segment_bytes: Mapping[str, int]
    rows: Mapping[str, int]
    memory: Mapping[str, str] = field(default_factory=dict)
    catalog_key: str = ""
    opened: Mapping[str, Opened] = field(default_factory=dict)

    def missing(self) -> list[str]:
        """Return the required datasets that have no snapshot."""
        datasets = self.catalog.datasets.values()
        return [d.id for d in datasets if d.required and d.id not in self.snapshots]


def assemble(
    number: int,
    document: Mapping[str, Any],
    part: Callable[[str], Buffer],
    previous: Generation | None = None,
) -> Generation:
    """Parse the contracts, open the segments, compile every plan and try each one.

    What has not changed since the generation before is taken from there. `part` returns a mapped
    part, or the project's documents, by key. Raises OffloaderError or ValueError when the
    generation cannot be served: the one before goes on.
    """
    catalog_key = document["catalog"]
    if previous is not None and previous.catalog_key == catalog_key:
        catalog, keys = previous.catalog, previous.keys
    else:
        catalog = parse_documents(json.loads(bytes(part(catalog_key))))
        keys = {key.hash: key for key in catalog.keys}
    entries = document["snapshots"].items()
    known = {} if previous is None else previous.opened
    opened = {name: _open(tuple(entry["parts"]), part, known.get(name)) for name, entry in entries}
    served = {} if previous is None else previous.endpoints
    return Generation(
        number=number,
        catalog=catalog,
        endpoints={
            name: _serve(
                catalog.datasets[endpoint.dataset],
                endpoint,
                opened.get(endpoint.dataset),
                served.get(name),
            )
            for name, endpoint in catalog.endpoints.items()
        },
        keys=keys,
        snapshots={name: Snapshot(**entry["snapshot"]) for name, entry in entries},
        segment_bytes={name: one.size_bytes for name, one in opened.items()},
        rows=document["rows"],
        memory=document["memory"],
        catalog_key=catalog_key,
        opened=opened,
    )


def _open(keys: tuple[str, ...], part: Callable[[str], Buffer], known: Opened | None) -> Opened:
    if known is not None and known.keys == keys:
        return known
    columns, *paths = (part(key) for key in keys)
    size_bytes = len(columns) + sum(map(len, paths))
    return Opened(keys, open_segment(columns, paths), size_bytes)


def _serve(
    dataset: Dataset, endpoint: Endpoint, opened: Opened | None, known: Served | None
) -> Served:
    """Compile and try a plan; one over the same segment under the same contracts is kept."""
    if opened is None:
        return Served(endpoint, None)
    if known is not None and known.endpoint == endpoint and known.plan is not None:
        plan = known.plan
        if plan.segment is opened.segment and plan.dataset == dataset:
            return known
    plan = compile_plan(dataset, endpoint, opened.segment)
    try_plan(plan)
    return Served(endpoint, plan)
