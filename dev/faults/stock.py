"""Snapshots built ahead: their parts lie in the cache, so that a swap to one needs no builder.

They are built by the builder's own function, in this process. A lease keeps them from the
service's collector, which knows of nothing that was never served.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dev.faults.project import Source
from offloader.catalog.documents import load_catalog
from offloader.catalog.manifest import parse_manifest
from offloader.service.builder.process import build
from offloader.service.cache import Cache
from offloader.service.generation_document import plan_parts
from offloader.service.lease import lease

_LONG_AGO = 1e9  # guards on age are none of this project's


@dataclass(frozen=True, slots=True)
class Stock:
    """The manifests of snapshots whose parts are in the cache, by number."""

    source: Source
    manifests: dict[int, bytes]

    def publish(self, number: int) -> None:
        """Announce one of them; its files were published before."""
        draft = self.source.manifest_path.with_suffix(".draft")
        draft.write_bytes(self.manifests[number])
        draft.replace(self.source.manifest_path)


@contextmanager
def stocked(source: Source, cache_root: Path, numbers: Iterable[int]) -> Iterator[Stock]:
    """Build snapshots into a cache and keep them there while the block runs."""
    catalog, documents = load_catalog(source.root)
    cache = Cache(cache_root)
    cache.prepare()
    before = source.manifest_path.read_bytes()
    manifests: dict[int, bytes] = {}
    digests: list[str] = []
    parts: list[str] = []
    for number in numbers:
        source.publish(number)
        raw = source.manifest_path.read_bytes()
        manifest = parse_manifest(raw, source.manifest_path.name)
        copy = cache.keep_manifest(source.name, manifest.digest, raw)
        job = {
            "documents": documents,
            "dataset": source.name,
            "cache": str(cache_root),
            "target": str(cache_root),
            "root": str(source.root),
            "manifest_at": str(source.manifest_path),
            "manifest_copy": str(copy),
            "previous_row_count": None,
            "was_served": True,
            "threads": 1,
        }
        outcome = build(job, now=_LONG_AGO)
        assert outcome["ok"], outcome
        manifests[number] = raw
        digests.append(manifest.digest)
        parts += plan_parts(catalog, source.name, manifest).part_ids
    source.manifest_path.write_bytes(before)
    with lease(cache, source.name, parts, digests):
        yield Stock(source, manifests)
