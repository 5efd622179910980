"""Run builds in processes of their own, and read their outcomes."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Self

from offloader.errors import Problem, SnapshotRefused, SourceUnavailable
from offloader.service.builder.memory_watch import SPARE_BYTES, memory_watched
from offloader.service.builder.progress import read_progress
from offloader.service.builder.standstill import standstill_watched

# One that needed more would give it to the next build's share.
MAX_KEPT_BYTES = 256 << 20
_SHOWN_BYTES = 2000
_READ_BYTES = 1 << 16


class Builder:
    """One builder process, which takes one job after another. One thread uses it at a time."""

    def __init__(self) -> None:
        self._errors = os.memfd_create("offloader-builder")  # no folder need be writable
        self._process = subprocess.Popen(
            [sys.executable, "-m", "offloader.service.builder.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,  # Ctrl-C is for the service, which ends its builder itself
        )
        self.can_go_on = True
        self._unread = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def build(
        self,
        job: Mapping[str, Any],
        *,
        limit_seconds: float,
        available_bytes: Callable[[], int] = lambda: sys.maxsize,
        on_standstill: Callable[[], None] = lambda: None,
    ) -> int:
        """Build the parts of one segment; return the bytes written. Raises as `outcome` does."""
        done = self.outcome(
            job,
            limit_seconds=limit_seconds,
            available_bytes=available_bytes,
            on_standstill=on_standstill,
        )
        return int(done["written_bytes"])

    def outcome(
        self,
        job: Mapping[str, Any],
        *,
        limit_seconds: float,
        available_bytes: Callable[[], int] = lambda: sys.maxsize,
        on_standstill: Callable[[], None] = lambda: None,
        on_progress: Callable[[Mapping[str, Any]], None] = lambda _: None,
    ) -> Mapping[str, Any]:
        """Have one job done; return its outcome.

        `available_bytes` tells how much memory the container has left; `on_standstill` is called
        once when the builder only waits, for its source most likely, `on_progress` every few
        seconds with how far it is (`progress.py`). Raises SnapshotRefused when
        the snapshot itself is to blame, else SourceUnavailable: also when the builder was killed
        (`builder_killed`), took too long (`builder_timeout`) or all memory
        (`builder_out_of_memory`). `can_go_on` tells whether the process may get another job.
        """
        self.can_go_on = False
        with (
            memory_watched(self._process, available_bytes) as is_killed,
            standstill_watched(self._process.pid, on_standstill),
        ):
            self._send({**job, "parent_pid": os.getpid()})
            line = self._outcome_line(time.monotonic() + limit_seconds, on_progress)
        if line is None:
            hint = "publish a smaller snapshot, or raise OFFLOADER_BUILD_LIMIT_SECONDS"
            message = f"the build took more than {limit_seconds:g} s"
            raise SourceUnavailable("builder_timeout", message, hint)
        if is_killed.is_set() and not line:
            hint = "give the container more memory, or publish a smaller snapshot"
            spare = f"{SPARE_BYTES >> 20} MiB"
            message = f"the build left less than {spare} to the processes that serve"
            raise SourceUnavailable("builder_out_of_memory", message, hint)
        return self._succeeded(line)

    def close(self) -> None:
        """End the process: by itself when it has nothing to do, else at once."""
        with suppress(BrokenPipeError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        if not self.can_go_on:
            self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        os.close(self._errors)

    def _send(self, job: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it is gone, as its missing answer will say
            self._process.stdin.write(json.dumps(job).encode() + b"\n")
            self._process.stdin.flush()

    def _outcome_line(
        self, deadline: float, on_progress: Callable[[Mapping[str, Any]], None]
    ) -> bytes | None:
        """Return the next line that is none of progress; as `_line`."""
        while line := self._line(deadline):
            told = read_progress(line)
            if told is None:
                break
            on_progress(told)
        return line

    def _line(self, deadline: float) -> bytes | None:
        """Return the next line, empty when the process ended, None when time ran out."""
        assert self._process.stdout is not None
        descriptor, found = self._process.stdout.fileno(), self._unread
        answered = select.poll()  # not select(): it takes no descriptor above 1,023
        answered.register(descriptor, select.POLLIN)
        while b"\n" not in found:
            if not answered.poll(max(0.0, deadline - time.monotonic()) * 1000):
                return None
            chunk = os.read(descriptor, _READ_BYTES)
            if not chunk:
                self._process.wait()
                return b""
            found += chunk
        line, _, rest = bytes(found).partition(b"\n")
        self._unread = bytearray(rest)
        return line

    def _succeeded(self, line: bytes) -> Mapping[str, Any]:
        try:
            outcome: dict[str, Any] = json.loads(line)
        except ValueError:
            hint = "most often memory ran out: give the container more, or publish less"
            code, last = self._process.poll(), self._last_error()
            message = f"the builder ended without a result (exit {code}) {last}"
            raise SourceUnavailable("builder_killed", message.strip(), hint) from None
        self.can_go_on = outcome["peak_bytes"] <= MAX_KEPT_BYTES
        if outcome["ok"]:
            return outcome
        told = (outcome["code"], outcome["message"], outcome["hint"])
        if outcome["is_final"]:
            raise SnapshotRefused(*told, (Problem(**problem) for problem in outcome["problems"]))
        raise SourceUnavailable(*told)

    def _last_error(self) -> str:
        size_bytes = os.fstat(self._errors).st_size
        last = os.pread(self._errors, _SHOWN_BYTES, max(0, size_bytes - _SHOWN_BYTES))
        lines = last.decode(errors="replace").strip().splitlines()
        return " ".join(lines[-1:])


def run_build(
    job: Mapping[str, Any],
    *,
    limit_seconds: float,
    available_bytes: Callable[[], int] = lambda: sys.maxsize,
    on_standstill: Callable[[], None] = lambda: None,
) -> int:
    """Build the parts of one segment in a process that ends with it; see `Builder.build`."""
    with Builder() as builder:
        return builder.build(
            job,
            limit_seconds=limit_seconds,
            available_bytes=available_bytes,
            on_standstill=on_standstill,
        )
