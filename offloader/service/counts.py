"""The numbers of a built snapshot, which guards are checked against; kept beside its manifest.

They let a snapshot whose parts lie in the cache be admitted without a builder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from offloader.catalog.guards import check_guards
from offloader.catalog.manifest import Manifest
from offloader.catalog.model import Guards
from offloader.errors import SnapshotRefused
from offloader.service.cache import Cache, write_whole

MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Counts:
    """What a build counted. `duplicate_keys` is by the columns of the key, joined by commas."""

    row_count: int
    null_counts: Mapping[str, int]
    duplicate_keys: Mapping[str, int] = field(default_factory=dict)

    def answers(self, guards: Guards) -> bool:
        """Tell whether every guard can be checked against these numbers."""
        has_keys = not guards.unique or _key(guards) in self.duplicate_keys
        return has_keys and all(name in self.null_counts for name in guards.not_null)


def counts_of(
    guards: Guards, row_count: int, null_counts: Mapping[str, int], duplicates: int | None
) -> Counts:
    """Return the numbers of a build that was made under these guards."""
    known = {} if duplicates is None else {_key(guards): duplicates}
    return Counts(row_count, dict(null_counts), known)


def load_counts(cache: Cache, dataset: str, digest: str) -> Counts | None:
    """Return the numbers of a snapshot, None when there are none or they make no sense."""
    try:
        with cache.counts(dataset, digest).open("rb") as file:
            document = json.loads(file.read(MAX_BYTES))
        nulls, duplicates = document["null_counts"], document["duplicate_keys"]
        return Counts(
            int(document["row_count"]),
            {str(name): int(count) for name, count in nulls.items()},
            {str(name): int(count) for name, count in duplicates.items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def save_counts(cache: Cache, dataset: str, digest: str, counts: Counts) -> None:
    """Keep the numbers of a snapshot, with what other contracts had counted; raises OSError."""
    before = load_counts(cache, dataset, digest) or Counts(counts.row_count, {})
    merged = Counts(
        counts.row_count,
        {**before.null_counts, **counts.null_counts},
        {**before.duplicate_keys, **counts.duplicate_keys},
    )
    content = json.dumps(asdict(merged), sort_keys=True).encode()
    write_whole(cache.counts(dataset, digest), content)


def refuse_unguarded(
    guards: Guards, manifest: Manifest, counts: Counts, previous: int | None, now: float
) -> None:
    """Raise SnapshotRefused with every guard that a snapshot breaks.

    `previous` is the row count of what is served, None when there is nothing to compare with;
    `now` is seconds since the epoch.
    """
    problems = check_guards(
        guards,
        row_count=counts.row_count,
        previous_row_count=previous,
        watermark=manifest.watermark,
        now=int(now * 1e6),
        null_counts=counts.null_counts,
        duplicate_keys=counts.duplicate_keys.get(_key(guards)),
    )
    if problems:
        raise SnapshotRefused.of(problems)


def _key(guards: Guards) -> str:
    return ",".join(guards.unique)
