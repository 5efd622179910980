"""Check a part that came from elsewhere, every byte of it, before it may go into the cache."""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xxhash

from offloader.catalog.manifest import Manifest
from offloader.errors import SegmentCorrupt
from offloader.segment.access_path import PartPlan
from offloader.segment.layout import SLICE_BYTES, Buffer, read_descriptor, verify
from offloader.service.segment_descriptor import SharedPartBad
from offloader.shared.file_lock import try_lock


def facts_by_id(plan: PartPlan, manifest: Manifest) -> dict[str, Mapping[str, Any]]:
    """Return what each part of a plan that is shared must say of itself, by part id.

    The part that names the snapshot's files is not shared: it holds this instance's own URLs.
    """
    snapshot = {
        "dataset": manifest.dataset_id,
        "snapshot_id": manifest.snapshot_id,
        "manifest_digest": manifest.digest,
    }
    found: dict[str, Mapping[str, Any]] = dict.fromkeys(plan.part_ids, snapshot)
    found[plan.columns_id] = {**snapshot, "kind": "columns"}
    for path, part_id in plan.paths:
        found[part_id] = {**snapshot, "kind": "path", "columns": list(path.columns)}
    for texts, part_id in plan.texts:
        found[part_id] = {
            **snapshot,
            "kind": "row_texts",
            "columns": [list(pair) for pair in texts.columns],
            "order": list(texts.order),
        }
    return found


def check_part(content: Buffer, facts: Mapping[str, Any], name: str) -> None:
    """Compare a part with its own checksums, and what it says of itself with what it must say.

    `name` is what errors call it. Raises SharedPartBad.
    """
    try:
        verify(content)
        says = read_descriptor(content)
    except SegmentCorrupt as error:
        raise SharedPartBad(name, error.message) from error
    for fact, value in facts.items():
        if says.get(fact) != value:
            raise SharedPartBad(name, f"it says another {fact} than it must")


def digest_of_bytes(content: Buffer) -> str:
    """Return the xxh3-128 of a whole part, as hex."""
    hasher = xxhash.xxh3_128()
    with memoryview(content) as view:
        for start in range(0, len(view), SLICE_BYTES):
            with view[start : start + SLICE_BYTES] as piece:
                hasher.update(piece)
    return hasher.hexdigest()


@contextmanager
def mapped(path: Path) -> Iterator[mmap.mmap]:
    """Map a file that is not empty, and lock it so that nobody takes it for abandoned.

    Raises OSError, FileNotFoundError also for one that is being removed.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        if try_lock(descriptor) == "taken" or not os.fstat(descriptor).st_nlink:
            raise FileNotFoundError(errno.ENOENT, "it is being removed", str(path))
        with mmap.mmap(descriptor, 0, prot=mmap.PROT_READ) as content:
            yield content
    finally:
        os.close(descriptor)
