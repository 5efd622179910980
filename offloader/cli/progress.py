"""Say on stderr how long work goes on: on a terminal in one line, elsewhere line by line."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Thread
from typing import TypeVar

QUIET_SECONDS = 2.0
EVERY_SECONDS = 1.0
_CLEAR_LINE = "\r\x1b[K"
_T = TypeVar("_T")


def with_progress(
    work: Callable[[], _T],
    look: Callable[[], str],
    *,
    quiet_seconds: float = QUIET_SECONDS,
    every_seconds: float = EVERY_SECONDS,
) -> _T:
    """Return what `work` returns, or raise what it raises; meanwhile show what `look` says.

    Nothing is shown during the first `quiet_seconds`. Off a terminal a line is written only when
    it says something new. An interrupt leaves the work alone, in a thread that ends with the
    process.
    """
    future: Future[_T] = Future()
    Thread(target=_run, args=(work, future), daemon=True).start()
    began, shown, is_terminal = time.monotonic(), "", sys.stderr.isatty()
    timeout_seconds = quiet_seconds
    try:
        while not wait([future], timeout=timeout_seconds).done:
            timeout_seconds = every_seconds
            text = look()
            if is_terminal:
                seconds = int(time.monotonic() - began)
                sys.stderr.write(f"{_CLEAR_LINE}{text} ({seconds} s)")
                sys.stderr.flush()
            elif text != shown:
                print(text, file=sys.stderr, flush=True)
            shown = text
    finally:
        if is_terminal and shown:
            sys.stderr.write(_CLEAR_LINE)
            sys.stderr.flush()
    return future.result()


def _run(work: Callable[[], _T], future: Future[_T]) -> None:
    try:
        future.set_result(work())
    except Exception as error:
        future.set_exception(error)
