"""The builder: a short-lived process that turns snapshots into the parts of segments.

Each line of stdin is a JSON job, each line of stdout its JSON outcome, or before it how far it is
(`progress.py`); it ends with stdin. It asks the kernel to be killed first when memory is short, and
when the reloader that started it dies.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from offloader.catalog.compatibility import served_columns
from offloader.catalog.documents import parse_documents
from offloader.catalog.manifest import Manifest, parse_manifest
from offloader.catalog.model import Catalog, Dataset
from offloader.errors import (
    OffloaderError,
    Problem,
    SegmentCorrupt,
    SnapshotRefused,
    SourceUnavailable,
)
from offloader.segment.build import BuildReport, build_segment, targets_of
from offloader.segment.facts import SnapshotFacts
from offloader.segment.layout import verify
from offloader.service.builder.describe import KIND, describe
from offloader.service.builder.progress import Progress, telling
from offloader.service.builder.remote import build_remote, write_pinned
from offloader.service.builder.source import Downloaded, manifest_at, opened_source
from offloader.service.cache import Cache, disk_error
from offloader.service.counts import counts_of, refuse_unguarded, save_counts
from offloader.service.generation_document import plan_parts
from offloader.service.quarantine import put_away

PR_SET_PDEATHSIG = 1
_OUT_OF_MEMORY = "give the container more memory, or publish a smaller snapshot"


def main() -> int:
    """Carry out the jobs on stdin; return 0 whatever the outcomes, which are printed."""
    _die_with_parent()
    _be_killed_first()
    for line in sys.stdin.buffer:
        began = time.monotonic()
        job = json.loads(line)
        if os.getppid() != job["parent_pid"]:
            return 0  # it died before the kernel knew that this process dies with it
        progress = Progress()
        with telling(progress, _print):
            outcome = build(job, now=time.time(), progress=progress)
        outcome["seconds"] = round(time.monotonic() - began, 3)
        outcome["peak_bytes"] = _peak_bytes()
        _print(json.dumps(outcome))
    return 0


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - standard output is how the reloader is answered


def build(
    job: Mapping[str, Any], *, now: float, progress: Progress | None = None
) -> dict[str, Any]:
    """Build what is missing and check the guards; return the outcome as JSON values.

    `{"ok": true, "row_count", "written_bytes", "downloaded_bytes", "download_seconds"}`, or
    `{"ok": false, "code", "message", "hint", "is_final", "problems"}` where a final failure is the
    snapshot's own.

    Parts are written below `target`, a cache's folder, so that a rebuild can be made aside.
    `progress` is kept up to date.
    """
    downloaded = Downloaded(progress or Progress())
    try:
        if job.get("kind") == KIND:
            return describe(job)
        report = _build(job, now, downloaded)
    except SnapshotRefused as error:
        return _failure(error, is_final=True, problems=error.problems)
    except OffloaderError as error:
        return _failure(error, is_final=False)
    except MemoryError:
        spent = SourceUnavailable("builder_out_of_memory", "memory ran out", _OUT_OF_MEMORY)
        return _failure(spent, is_final=False)
    except OSError as error:
        return _failure(disk_error(error), is_final=False)
    return {
        "ok": True,
        "row_count": report.row_count,
        "written_bytes": sum(report.written_bytes.values()),
        "downloaded_bytes": downloaded.size_bytes,
        "download_seconds": round(downloaded.seconds, 3),
    }


def _build(job: Mapping[str, Any], now: float, downloaded: Downloaded) -> BuildReport:
    catalog = parse_documents(job["documents"])
    dataset = catalog.datasets[job["dataset"]]
    cache, target = Cache(Path(job["cache"])), Cache(Path(job["target"]))
    copy = Path(job["manifest_copy"])
    manifest = parse_manifest(copy.read_bytes(), manifest_at(job).name)
    part_ids = plan_parts(catalog, dataset.id, manifest).part_ids
    try:
        report = _build_parts(job, catalog, dataset, manifest, downloaded)
    except SegmentCorrupt as error:
        damaged = [one for one in part_ids if _is_damaged(target.part(dataset.id, one))]
        put_away(target, dataset.id, damaged, error.message, now)
        report = _build_parts(job, catalog, dataset, manifest, downloaded)
    counts = counts_of(dataset.guards, report.row_count, report.null_counts, report.duplicate_keys)
    save_counts(cache, dataset.id, manifest.digest, counts)
    # A snapshot that was served before is only built again: it was young enough in its time.
    admitted = manifest.watermark / 1e6 if job["was_served"] else now
    refuse_unguarded(dataset.guards, manifest, counts, job["previous_row_count"], admitted)
    return report


def _build_parts(
    job: Mapping[str, Any],
    catalog: Catalog,
    dataset: Dataset,
    manifest: Manifest,
    downloaded: Downloaded,
) -> BuildReport:
    """Write the missing parts; raises SegmentCorrupt when one they are made from is damaged."""
    target = Cache(Path(job["target"]))
    plan = plan_parts(catalog, dataset.id, manifest)
    targets = targets_of(plan, lambda part_id: target.part(dataset.id, part_id))
    progress = downloaded.progress
    parts = [target.part(dataset.id, part_id) for part_id in plan.part_ids]
    progress.begin(dataset.id, manifest.snapshot_id, manifest.row_count, parts)
    targets.columns.parent.mkdir(parents=True, exist_ok=True)
    facts, threads = _facts(manifest), job["threads"]
    with ExitStack() as stack:
        tables: Iterable[pa.Table] = ()
        pinned: Mapping[Path, int] = {}
        is_pinned = targets.files is None or targets.files.exists()
        # Else the files are not needed, and may be gone.
        if plan.is_remote_only or not (is_pinned and targets.columns.exists()):
            source = stack.enter_context(opened_source(job, manifest, dataset, downloaded))
            if plan.is_remote_only:
                return build_remote(source, dataset, targets, facts, threads)
            pinned = write_pinned(targets, facts, source)
            tables = progress.counted(stack.enter_context(closing(source.tables())))
        report = build_segment(
            tables,
            served_columns(manifest, dataset),
            dataset.tenant_column,
            targets,
            facts,
            unique=dataset.guards.unique,
            threads=threads,
        )
    return replace(report, written_bytes={**report.written_bytes, **pinned})


def _is_damaged(path: Path) -> bool:
    """Tell whether a part that is there cannot be used."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as part:
            verify(part)
    except FileNotFoundError:
        return False
    except (SegmentCorrupt, ValueError):  # an empty file cannot be mapped
        return True
    return False


def _facts(manifest: Manifest) -> SnapshotFacts:
    return SnapshotFacts(
        manifest.dataset_id,
        manifest.snapshot_id,
        manifest.digest,
        manifest.watermark,
        manifest.created_at,
    )


def _failure(
    error: OffloaderError, *, is_final: bool, problems: tuple[Problem, ...] = ()
) -> dict[str, Any]:
    return {
        "ok": False,
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "is_final": is_final,
        "problems": [problem.as_dict() for problem in problems],
    }


def _peak_bytes() -> int:
    """Return the most memory this program had; getrusage would count its parent's from the fork."""
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    peak = next((line.split()[1] for line in lines if line.startswith("VmHWM:")), "0")
    return int(peak) << 10


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _be_killed_first() -> None:
    try:
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    except OSError:
        return  # not allowed here: the kernel then chooses by size alone


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # pyarrow's threads need not be waited for
