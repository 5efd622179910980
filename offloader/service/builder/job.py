"""Run one build in a process of its own, and read its outcome."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

from offloader.errors import Problem, SnapshotRefused, SourceUnavailable
from offloader.service.builder.memory_watch import SPARE_BYTES, memory_watched
from offloader.service.builder.standstill import standstill_watched

_SHOWN_BYTES = 2000


def run_build(
    job: Mapping[str, Any],
    *,
    limit_seconds: float,
    available_bytes: Callable[[], int] = lambda: sys.maxsize,
    on_standstill: Callable[[], None] = lambda: None,
) -> int:
    """Build the parts of one segment; return the bytes written.

    `available_bytes` tells how much memory the container has left; `on_standstill` is called once
    when the builder only waits, for its source most likely. Raises SnapshotRefused when
    the snapshot itself is to blame, else SourceUnavailable: also when the builder was killed
    (`builder_killed`), took too long (`builder_timeout`) or all memory (`builder_out_of_memory`).
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "offloader.service.builder.process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the service, which ends its builder itself
    )
    content = json.dumps({**job, "parent_pid": os.getpid()}).encode()
    try:
        with (
            memory_watched(process, available_bytes) as is_killed,
            standstill_watched(process.pid, on_standstill),
        ):
            out, err = process.communicate(content, timeout=limit_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        hint = "publish a smaller snapshot, or raise OFFLOADER_BUILD_LIMIT_SECONDS"
        message = f"the build took more than {limit_seconds:g} s"
        raise SourceUnavailable("builder_timeout", message, hint) from None
    except BaseException:
        process.kill()
        raise
    if is_killed.is_set() and not out:
        hint = "give the container more memory, or publish a smaller snapshot"
        message = f"the build left less than {SPARE_BYTES >> 20} MiB to the processes that serve"
        raise SourceUnavailable("builder_out_of_memory", message, hint)
    return _written(out, err, process.returncode)


def _written(out: bytes, err: bytes, returncode: int) -> int:
    try:
        outcome = json.loads(out.splitlines()[-1])
    except (IndexError, ValueError):
        hint = "most often memory ran out: give the container more, or publish a smaller snapshot"
        last = err.decode(errors="replace")[-_SHOWN_BYTES:].strip().splitlines()[-1:]
        message = f"the builder ended without a result (exit {returncode}) {' '.join(last)}"
        raise SourceUnavailable("builder_killed", message.strip(), hint) from None
    if outcome["ok"]:
        return int(outcome["written_bytes"])
    told = (outcome["code"], outcome["message"], outcome["hint"])
    if outcome["is_final"]:
        raise SnapshotRefused(*told, (Problem(**problem) for problem in outcome["problems"]))
    raise SourceUnavailable(*told)
