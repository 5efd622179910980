"""ROAPI as its package from PyPI gives it, over the sorted files. It has no keys to check.

It reads the Parquet files and skips row groups by their statistics: with its tables in memory,
where it looks at every row, it was slower.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dev.bench.serving.processes import answers, free_port, started
from dev.bench.serving.snapshots import sorted_file


def program() -> str | None:
    """Return ROAPI's program, beside this Python or on the path."""
    beside = Path(sys.executable).with_name("roapi")
    return str(beside) if beside.exists() else shutil.which("roapi")


@contextmanager
def running(folder: Path, snapshots: Path, tables: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Serve the sorted files; give address and pid. Raises OSError without ROAPI."""
    found = program()
    if found is None:
        raise OSError("ROAPI is not installed")
    folder.mkdir(exist_ok=True)
    port = free_port()
    option = {"format": "parquet", "use_memory_table": False}
    document = {
        "addr": {
            "http": f"127.0.0.1:{port}",
            "postgres": "127.0.0.1:0",
            "flight_sql": "127.0.0.1:0",
        },
        "tables": [
            {"name": name, "uri": str(sorted_file(snapshots, name)), "option": option}
            for name in tables
        ],
    }
    config = folder / "roapi.yml"
    config.write_text(json.dumps(document))  # JSON is YAML too
    command = [found, "--config", str(config)]
    with started(command, folder / "roapi.log", lambda: answers(port)) as process:
        yield f"127.0.0.1:{port}", process.pid
