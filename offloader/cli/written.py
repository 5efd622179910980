"""Write what a command made: to standard output, or to a file that is never left half written."""

from __future__ import annotations

import sys
from pathlib import Path


def write_out(text: str, path: Path | None) -> int:
    """Print a text, or write it to `path` and print that; return 0, or 2 when it cannot be."""
    if path is None:
        sys.stdout.write(text)
        return 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        hint = "name a file that can be written"
        print(f"{path}: cannot be written: {error.strerror} ({hint})", file=sys.stderr)
        return 2
    print(path)
    return 0
