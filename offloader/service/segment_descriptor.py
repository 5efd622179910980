"""The descriptor of a shared part: the small object beside it that says what its bytes must be.

    {"format": 2, "dataset": "usage", "part_id": "…", "manifest_digest": "…", "size_bytes": 7104,
     "xxh3_128": "…of the whole file…", "counts": {…} or null}

`counts` are the numbers that guards are checked against; only the columns part has them. Whoever
reads a descriptor knows what it must name, so one that lies elsewhere or is older is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from offloader.catalog.strict_json import canonical_json, parse_strict_json
from offloader.errors import SourceUnavailable
from offloader.segment.layout import FORMAT_VERSION, HEADER_BYTES
from offloader.service.counts import Counts

MAX_DESCRIPTOR_BYTES = 1 << 20
MAX_PART_BYTES = 1 << 42
_DIGEST = re.compile("[0-9a-f]{32}")
_MAX_DEPTH = 3
_MAX_NAMES = 100_000
_MAX_COUNT = 1 << 62
_FIELDS = frozenset(
    {"format", "dataset", "part_id", "manifest_digest", "size_bytes", "xxh3_128", "counts"}
)


class SharedPartBad(SourceUnavailable):
    """What lies in the segment store under a part's name is not that part."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(
            "shared_part_corrupt",
            f"{name} in the segment store cannot be used: {what}",
            "it is never served, and is built again from its snapshot; see who can write the store",
        )


@dataclass(frozen=True, slots=True, order=True)
class PartRef:
    """One part of one snapshot of one dataset; both ids are 32 hex digits."""

    dataset: str
    part_id: str
    manifest_digest: str


@dataclass(frozen=True, slots=True)
class SharedPart:
    """What a descriptor says: a part's size, the xxh3-128 of its whole file, and its counts."""

    ref: PartRef
    size_bytes: int
    digest: str
    counts: Counts | None = None

    def encode(self) -> bytes:
        """Return the one JSON text this descriptor has."""
        return canonical_json(
            {
                "format": FORMAT_VERSION,
                **asdict(self.ref),
                "size_bytes": self.size_bytes,
                "xxh3_128": self.digest,
                "counts": None if self.counts is None else asdict(self.counts),
            }
        )


def parse_shared_part(raw: bytes, ref: PartRef, name: str) -> SharedPart:
    """Return what the descriptor of `ref` says; `name` is what errors call it.

    Raises SharedPartBad for anything but a whole descriptor of this very part.
    """
    try:
        document = parse_strict_json(raw, max_depth=_MAX_DEPTH)
        if not isinstance(document, dict) or set(document) != _FIELDS:
            raise ValueError("it has other fields")
        expected = {"format": FORMAT_VERSION, **asdict(ref)}
        for field, value in expected.items():
            if document[field] != value:
                raise ValueError(f"its {field} is another one")
        return SharedPart(
            ref,
            _whole(document["size_bytes"], HEADER_BYTES, MAX_PART_BYTES),
            _digest(document["xxh3_128"]),
            _counts(document["counts"]),
        )
    except ValueError as error:
        raise SharedPartBad(name, str(error)) from None


def _counts(document: object) -> Counts | None:
    if document is None:
        return None
    if not isinstance(document, dict) or set(document) != set(Counts.__slots__):
        raise ValueError("its counts have other fields")
    return Counts(
        _whole(document["row_count"], 0, _MAX_COUNT),
        _numbers(document["null_counts"]),
        _numbers(document["duplicate_keys"]),
    )


def _numbers(found: object) -> Mapping[str, int]:
    if not isinstance(found, dict) or len(found) > _MAX_NAMES:
        raise ValueError("its counts are no numbers by name")
    return {name: _whole(count, 0, _MAX_COUNT) for name, count in found.items()}


def _whole(value: object, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"a number is not from {low} to {high}")
    return value


def _digest(value: object) -> str:
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise ValueError("its digest is not 32 hex digits")
    return value
