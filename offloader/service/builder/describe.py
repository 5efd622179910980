"""Have the manifest of a Databricks commit made by a builder process.

It takes pyarrow, which the reloader does without, and reads what customers wrote.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from offloader.service.builder.builders import Builders
from offloader.service.builder.job import Builder
from offloader.service.builder.turns import Turns
from offloader.sources.databricks import Commit
from offloader.stores.access import Access
from offloader.stores.location import Location, parse_url
from offloader.stores.open import Stores

KIND = "describe"


def describe_job(
    dataset_id: str,
    folder: Location,
    commit: Commit,
    access: Access,
    *,
    json_columns: tuple[str, ...] = (),
    waited_seconds: float = 0.0,
) -> dict[str, Any]:
    """Return the job of a commit that lies in a folder, secrets included: for a pipe, for no log.

    `json_columns` and `waited_seconds` as `describe_commit` takes them.
    """
    return {
        "kind": KIND,
        "dataset": dataset_id,
        "folder": str(folder),
        "commit": commit.as_document(),
        "access": access.as_document(),
        "json_columns": list(json_columns),
        "waited_seconds": waited_seconds,
    }


def run_describe(job: Mapping[str, Any], *, limit_seconds: float) -> bytes:
    """Return the manifest of a job's commit, made in a process that ends with it.

    Raises SnapshotRefused when the commit is to blame, else SourceUnavailable; see `Builder`.
    """
    with Builder() as builder:
        return _manifest(builder.outcome(job, limit_seconds=limit_seconds))


class Describer:
    """Makes manifests, one at a time but for what stands still. Any thread may call it.

    Where many wait, as at a cold start, they share a process.
    """

    def __init__(
        self,
        *,
        limit_seconds: float,
        available_bytes: Callable[[], int] = lambda: sys.maxsize,
    ) -> None:
        self._turns = Turns()
        self._builders = Builders(
            self._turns, limit_seconds=limit_seconds, available_bytes=available_bytes
        )

    def __call__(self, job: Mapping[str, Any]) -> bytes:
        """Return the manifest of a job's commit; raises as `run_describe` does."""
        with self._turns.turn() as pass_on:
            return _manifest(self._builders.outcome(job, pass_on))


def describe(job: Mapping[str, Any]) -> dict[str, Any]:
    """Carry out a job, in the builder's process; return its outcome `{"ok": true, "manifest"}`."""
    from offloader.sources.commit_describe import describe_commit

    text = job["folder"]
    folder = parse_url(text) if "://" in text else Location("file", "/", text.lstrip("/"))
    raw = describe_commit(
        Stores(Access.from_document(job["access"])).at(folder),
        folder.key,
        Commit.from_document(job["commit"]),
        dataset_id=job["dataset"],
        json_columns=job["json_columns"],
        waited_seconds=job["waited_seconds"],
    )
    return {"ok": True, "manifest": raw.decode("utf-8")}


def _manifest(outcome: Mapping[str, Any]) -> bytes:
    return str(outcome["manifest"]).encode("utf-8")
