"""Look for secrets in whatever a service shows: as they are, and as they are often written."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote, quote_plus

from tests.service_process import marked

_LEAST_BYTES = 12
_POLL_SECONDS = 0.05


def forms(secret: str) -> set[bytes]:
    """Return how a secret may be written: plain, percent-encoded, in JSON, hexadecimal, base64.

    In base64 it may begin at any place of three, so what is sure to stand there is looked for.
    """
    raw = secret.encode()
    found = {raw, quote(secret, safe="").encode(), quote_plus(secret).encode(), raw[::-1]}
    found |= {json.dumps(secret)[1:-1].encode(), raw.hex().encode(), raw.hex().upper().encode()}
    for before in range(3):
        for coded in (base64.b64encode, base64.urlsafe_b64encode):
            text = coded(b"\0" * before + raw).rstrip(b"=")
            found.add(text[4 if before else 0 : -2])
    return {form for form in found if len(form) >= _LEAST_BYTES}


def leaks(secrets: Mapping[str, str], shown: Mapping[str, bytes]) -> list[str]:
    """Return each secret's name and the place where it is shown."""
    return sorted(
        f"{name} in {place}"
        for name, secret in secrets.items()
        for place, text in shown.items()
        if any(form in text for form in forms(secret))
    )


def files_below(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder that is still there."""
    found: dict[str, bytes] = {}
    for path in folder.rglob("*"):
        with suppress(OSError):
            if path.is_file():
                found[str(path.relative_to(folder))] = path.read_bytes()
    return found


@contextmanager
def watched_commands(mark: str) -> Iterator[set[bytes]]:
    """Collect the command lines of a run's processes, short-lived ones too, while a block runs."""
    seen: set[bytes] = set()
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(_POLL_SECONDS):
            seen.update(_commands(marked(mark)))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def _commands(pids: Iterable[int]) -> Iterator[bytes]:
    for pid in pids:
        with suppress(OSError):
            yield Path(f"/proc/{pid}/cmdline").read_bytes()
