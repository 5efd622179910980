"""Read a secret from a file, as orchestrators mount them. Nothing of its content is ever shown."""

from __future__ import annotations

from pathlib import Path

MAX_SECRET_BYTES = 64 * 1024

Fault = tuple[str, str, str]


def read_secret(path: Path) -> tuple[Fault | None, str]:
    """Return what is wrong (code, message, hint), or None and the secret.

    The file is at most 64 KiB of UTF-8; line ends after the secret are dropped. Pipes and other
    special files are refused: reading them could wait for ever.
    """
    hint = "name a readable file that holds the secret alone"
    try:
        if not path.is_file():
            reason = "is no regular file" if path.exists() else "does not exist"
            return ("secret_file_unreadable", f"the file {reason}", hint), ""
        with path.open("rb") as opened:
            raw = opened.read(MAX_SECRET_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        return ("secret_file_unreadable", f"the file cannot be read: {reason}", hint), ""
    if len(raw) > MAX_SECRET_BYTES:
        message = f"the file is larger than {MAX_SECRET_BYTES} bytes"
        return ("secret_file_too_large", message, hint), ""
    secret = raw.decode("utf-8", errors="replace").rstrip("\r\n")
    if not secret or "\ufffd" in secret:
        message = "the file is empty or not UTF-8 text"
        return ("secret_file_invalid", message, hint), ""
    return None, secret
