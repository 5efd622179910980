"""What is remembered of failed work, and when it is tried again."""

from __future__ import annotations

import random
from dataclasses import replace

from offloader.catalog.contract import digest_of
from offloader.catalog.manifest import Manifest
from offloader.catalog.model import Catalog, Dataset
from offloader.errors import Problem, SnapshotRefused, SourceUnavailable
from offloader.segment.access_path import derive_paths
from offloader.segment.row_text_spec import derive_row_texts
from offloader.service import log
from offloader.service.reloader.decide import REFUSALS
from offloader.service.state import Attempt, DatasetState

FIRST_BACK_OFF_SECONDS = 1.0
MAX_BACK_OFF_SECONDS = 300.0
_MAX_MESSAGE = 2000
_MAX_PROBLEMS = 20
_MAX_PROBLEM = 500


class Judged(SnapshotRefused):
    """A refusal of a snapshot before any work on it; `manifest` says of which."""

    def __init__(self, refusal: SnapshotRefused, manifest: Manifest) -> None:
        super().__init__(refusal.code, refusal.message, refusal.hint, refusal.problems)
        self.manifest = manifest


def contract_of(catalog: Catalog, dataset: Dataset) -> str:
    """Return the digest of what of the contract decides whether a snapshot can be served."""
    endpoints = catalog.endpoints_of(dataset.id)
    paths = [path.columns for path in derive_paths(dataset, endpoints)]
    texts = derive_row_texts(dataset, endpoints, paths)
    shaping = replace(dataset, description="", pin=None)
    return digest_of(
        {
            "dataset": repr(shaping),
            "paths": paths,
            "texts": [[text.columns, text.order] for text in texts],
        }
    )


def is_known_failure(known: DatasetState, manifest: Manifest, contract: str) -> bool:
    """Tell whether work on this snapshot failed for good under this contract."""
    tried = known.attempt
    is_same = tried.manifest_digest == manifest.digest and tried.contract == contract
    return tried.is_final and is_same and tried.code not in REFUSALS


def failed(
    known: DatasetState,
    error: SnapshotRefused | SourceUnavailable,
    *,
    manifest: Manifest | None,
    contract: str,
    now: float,
    seconds: float,
) -> Attempt:
    """Return what is remembered of a failure.

    A refusal is final: looking at the manifest again costs little, building it again would not.
    """
    is_final = isinstance(error, SnapshotRefused)
    return Attempt(
        snapshot_id=manifest.snapshot_id if manifest else "",
        manifest_digest=manifest.digest if manifest else "",
        contract=contract,
        code=error.code,
        message=error.message[:_MAX_MESSAGE],
        hint=error.hint,
        is_final=is_final,
        failures=0 if is_final else known.attempt.failures + 1,
        at=now,
        duration_seconds=round(seconds, 3),
        problems=_shown(error.problems) if isinstance(error, SnapshotRefused) else (),
    )


def _shown(problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """Return the first problems: a manifest may have thousands, and all are kept and told."""
    most = problems[:_MAX_PROBLEMS]
    return tuple(replace(one, message=one.message[:_MAX_PROBLEM]) for one in most)


def back_off_seconds(attempt: Attempt, interval_seconds: float, chance: random.Random) -> float:
    """Return when to look again, with jitter: after the interval, or sooner after a failure.

    The pause doubles with each transient failure in a row, up to the interval when the manifest
    itself could not be had, up to five minutes when the work on its snapshot failed.
    """
    if attempt.is_final or not attempt.failures:
        return interval_seconds * chance.uniform(0.9, 1.1)
    doubled = FIRST_BACK_OFF_SECONDS * 2.0 ** min(attempt.failures - 1, 16)
    has_worked = bool(attempt.manifest_digest)
    longest = max(interval_seconds, MAX_BACK_OFF_SECONDS) if has_worked else interval_seconds
    return min(doubled, longest) * chance.uniform(0.75, 1.25)


def reason_of(error: Exception) -> SnapshotRefused | SourceUnavailable:
    """Return an error as what is remembered of it; one that nobody foresaw is logged whole."""
    if isinstance(error, SnapshotRefused | SourceUnavailable):
        return error
    log.broke("refresh_broke", error)
    # Not its text, which may hold anything: that is in the log.
    message = f"a fault of the service: {type(error).__name__}"
    return SourceUnavailable("internal", message, "see refresh_broke in the log")
