"""A generation in a worker: the complete, immutable serving state that requests read."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from offloader.catalog.documents import parse_documents
from offloader.catalog.model import Catalog, Dataset, Endpoint, Key
from offloader.errors import OffloaderError
from offloader.query.plan import Plan, compile_plan
from offloader.segment.layout import Buffer
from offloader.segment.read import Segment, open_segment
from offloader.service.state import Snapshot
from offloader.service.worker.cost import quick_rows
from offloader.service.worker.smoke import try_plan
from offloader.service.worker.stamp import Stamps


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """One endpoint; `plan` is None until its dataset has a snapshot, and `stamps` with it.

    Requests that locate at most `quick_rows` rows cost so little that nobody need estimate it.
    Those of an endpoint that `is_remote` are never answered from the segment.
    """

    endpoint: Endpoint
    plan: Plan | None
    stamps: Stamps | None = field(init=False)
    quick_rows: int = field(init=False)
    is_remote: bool = field(init=False)

    def __post_init__(self) -> None:
        stamps = None if self.plan is None else Stamps.of(self.endpoint, self.plan.segment)
        object.__setattr__(self, "stamps", stamps)
        object.__setattr__(self, "quick_rows", 0 if self.plan is None else quick_rows(self.plan))
        object.__setattr__(self, "is_remote", self.endpoint.serving_mode == "remote_scan")


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A dataset's segment, the keys of the parts it was opened from, and their bytes together."""

    keys: tuple[str, ...]
    segment: Segment
    size_bytes: int


class Earlier:
    """Endpoints on the snapshots before the served ones, for cursors that began on them.

    The one part of a generation that may become less: main keeps those snapshots' parts only
    while there is room. `opened` is by dataset, `served` by endpoint.
    """

    def __init__(
        self, opened: Mapping[str, Opened] | None = None, served: Mapping[str, Served] | None = None
    ) -> None:
        self.opened = dict(opened or {})
        self.served = dict(served or {})

    def find(self, name: str, manifest_digest: str) -> Served | None:
        """Return an endpoint on the snapshot with this manifest, None when that is not held."""
        served = self.served.get(name)
        if served is None or _digest_of(served) != manifest_digest:
            return None
        return served

    def let_go(self, keys: Collection[str]) -> None:
        """Drop what reads any of these parts: main lets go of their memory."""
        gone = [name for name, one in self.opened.items() if not set(keys).isdisjoint(one.keys)]
        for name in gone:
            del self.opened[name]
        for name in [n for n, served in self.served.items() if served.endpoint.dataset in gone]:
            del self.served[name]


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
    earlier: Earlier = field(default_factory=Earlier)

    def find(self, name: str, manifest_digest: str) -> Served | None:
        """Return an endpoint on its served snapshot or an earlier one that is still held.

        None when the snapshot with this manifest is neither.
        """
        served = self.endpoints.get(name)
        if served is not None and _digest_of(served) == manifest_digest:
            return served
        return self.earlier.find(name, manifest_digest)

    @property
    def manifest_digests(self) -> frozenset[str]:
        """The manifests of all snapshots that this generation answers from."""
        opened = (*self.opened.values(), *self.earlier.opened.values())
        return frozenset(one.segment.manifest_digest for one in opened)

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
    part, or the project's documents, by key; it raises KeyError for a part that is not here, which
    only one of an earlier snapshot may be. Raises OffloaderError or ValueError when the generation
    cannot be served: the one before goes on.
    """
    catalog_key = document["catalog"]
    if previous is not None and previous.catalog_key == catalog_key:
        catalog, keys = previous.catalog, previous.keys
    else:
        catalog = parse_documents(json.loads(bytes(part(catalog_key))))
        keys = {key.hash: key for key in catalog.keys}
    entries = document["snapshots"].items()
    known = _Known.of(previous)
    opened = {name: known.open(tuple(entry["parts"]), part) for name, entry in entries}
    return Generation(
        number=number,
        catalog=catalog,
        endpoints={
            name: known.serve(
                catalog.datasets[endpoint.dataset], endpoint, opened.get(endpoint.dataset)
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
        earlier=_earlier(document.get("kept", {}), catalog, part, known),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """What the generation before has: segments by the keys of their parts, endpoints by name."""

    opened: Mapping[tuple[str, ...], Opened]
    served: tuple[Mapping[str, Served], ...]

    @classmethod
    def of(cls, previous: Generation | None) -> _Known:
        """Take what a generation serves and what it holds of earlier snapshots."""
        if previous is None:
            return cls({}, ())
        earlier = previous.earlier
        opened = (*earlier.opened.values(), *previous.opened.values())
        return cls({one.keys: one for one in opened}, (previous.endpoints, earlier.served))

    def open(self, keys: tuple[str, ...], part: Callable[[str], Buffer]) -> Opened:
        """Open a segment; one of the same parts is kept."""
        if keys in self.opened:
            return self.opened[keys]
        columns, *paths = (part(key) for key in keys)
        size_bytes = len(columns) + sum(map(len, paths))
        return Opened(keys, open_segment(columns, paths), size_bytes)

    def serve(self, dataset: Dataset, endpoint: Endpoint, opened: Opened | None) -> Served:
        """Compile and try a plan; one over the same segment under the same contracts is kept."""
        if opened is None:
            return Served(endpoint, None)
        for known in (served.get(endpoint.name) for served in self.served):
            if known is not None and known.endpoint == endpoint and known.plan is not None:
                plan = known.plan
                if plan.segment is opened.segment and plan.dataset == dataset:
                    return known
        _check_mode(endpoint, opened.segment)
        plan = compile_plan(dataset, endpoint, opened.segment)
        try_plan(plan)
        return Served(endpoint, plan)


def _earlier(
    kept: Mapping[str, list[str]], catalog: Catalog, part: Callable[[str], Buffer], known: _Known
) -> Earlier:
    """Open what is kept of earlier snapshots; what cannot be served is left out.

    It is the same on every worker: a cursor is answered by all of them or by none.
    """
    earlier = Earlier()
    for name, keys in kept.items():
        with suppress(KeyError, OffloaderError):  # dropped in between, or of no use any more
            dataset, opened = catalog.datasets[name], known.open(tuple(keys), part)
            earlier.opened[name] = opened
            for endpoint in catalog.endpoints_of(name):
                with suppress(Exception):  # its contract has changed; no swap fails because of it
                    earlier.served[endpoint.name] = known.serve(dataset, endpoint, opened)
    return earlier


def _check_mode(endpoint: Endpoint, segment: Segment) -> None:
    """Raise ValueError when a segment was built for endpoints of the other serving mode only."""
    is_remote = endpoint.serving_mode == "remote_scan"
    if segment.files is None if is_remote else segment.is_remote_only:
        raise ValueError(f"endpoint {endpoint.name} has another serving mode than its segment")


def _digest_of(served: Served) -> str | None:
    return None if served.plan is None else served.plan.segment.manifest_digest
