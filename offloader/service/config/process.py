"""Fetch a project before the service starts: a short-lived process, so that main asks no network.

It reads one JSON job from stdin, `{"place", "cache", "access", "parent_pid"}`, and prints one JSON
outcome as its last line on stdout.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from offloader.errors import ConfigError, SourceUnavailable
from offloader.service.config.fetch import fetch_revision
from offloader.service.config.revisions import Revisions
from offloader.stores.access import Access
from offloader.stores.location import parse_url
from offloader.stores.open import Stores
from offloader.stores.patient import Patience

# About ten seconds of pauses: networks and identities of a pod may come up after it.
BOOT_PATIENCE = Patience(attempts=8, first_seconds=0.5, deadline_seconds=20.0)
PR_SET_PDEATHSIG = 1


def main() -> int:
    """Carry out the job on stdin; return 0 whatever the outcome, which is printed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    job = json.load(sys.stdin)
    if os.getppid() != job["parent_pid"]:
        return 0  # it died before the kernel knew that this process dies with it
    print(json.dumps(fetch(job)), flush=True)  # noqa: T201 - this line is the answer
    return 0


def fetch(job: Mapping[str, Any]) -> dict[str, Any]:
    """Fetch a project; return the outcome as JSON values.

    `{"ok": true, "revision"}`, or `{"ok": false, "code", "message", "hint", "problems"}`, where
    problems are those of the project itself.
    """
    try:
        place = parse_url(job["place"])
        store = Stores(Access.from_document(job["access"]), BOOT_PATIENCE).at(place)
        revision = fetch_revision(store, place, Revisions(Path(job["cache"]), place), time.time)
    except ConfigError as error:
        return _failure(error, [problem.as_dict() for problem in error.problems])
    except SourceUnavailable as error:
        return _failure(error, [])
    return {"ok": True, "revision": revision.id}


def _failure(error: ConfigError | SourceUnavailable, problems: list[Any]) -> dict[str, Any]:
    told = {"code": error.code, "message": error.message, "hint": error.hint}
    return {"ok": False, **told, "problems": problems}


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # reads that were called off need not be waited for
