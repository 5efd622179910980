"""A PostgreSQL of our own: data folder under the run's folder, a unix socket, no TCP port."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from dev.bench.serving.processes import started
from dev.bench.serving.snapshots import sorted_file

_INDEXES = {
    "usage": "tenant, account, day",
    "orders": "tenant, order_id",
    "flights": "origin, dest, carrier, time_hour",
}
_TYPES = {
    "BIGINT": "bigint",
    "INTEGER": "integer",
    "DOUBLE": "double precision",
    "DATE": "date",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
}
_SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "2GB",
    "work_mem": "64MB",
    "maintenance_work_mem": "1GB",
    "max_wal_size": "8GB",
    "fsync": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "jit": "off",
}


def programs() -> Path | None:
    """Return the folder of the server's programs, of the newest version there is."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name))
    if found:
        return found[-1]
    program = shutil.which("postgres")
    return Path(program).resolve().parent if program else None


@contextmanager
def running(folder: Path, snapshots: Path, tables: Sequence[str]) -> Iterator[int]:
    """Start a server with the sorted tables in it; give its pid. `folder` holds its socket, too.

    Raises OSError when PostgreSQL is not installed, CalledProcessError when it cannot be set up.
    """
    binaries = programs()
    if binaries is None:
        raise OSError("PostgreSQL is not installed")
    data = folder / "pgdata"
    _own(folder)
    is_new = not (data / "loaded").exists()
    if not (data / "PG_VERSION").exists():
        flags = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"]
        _run([str(binaries / "initdb"), "-D", str(data), *flags])
    settings = {**_SETTINGS, "unix_socket_directories": str(folder)}
    flags = [part for name, text in settings.items() for part in ("-c", f"{name}={text}")]
    command = [*_as_other(), str(binaries / "postgres"), "-D", str(data), *flags]
    ready = [str(binaries / "pg_isready"), "-q", "-h", str(folder)]

    def is_ready() -> bool:
        return subprocess.run(ready, check=False).returncode == 0

    with started(command, folder / "postgres.log", is_ready, stop=_FAST_STOP) as process:
        if is_new:
            _load(binaries, folder, snapshots, tables)
            (data / "loaded").touch()
        yield process.pid


_FAST_STOP = 2  # SIGINT: end at once, with what is open rolled back


def _load(binaries: Path, folder: Path, snapshots: Path, tables: Sequence[str]) -> None:
    """Copy each sorted file into a table, index it, and have it in memory."""
    for name in tables:
        source = f"read_parquet('{sorted_file(snapshots, name)}')"
        columns = duckdb.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
        declared = ", ".join(f"{c[0]} {_TYPES.get(c[1], 'text')}" for c in columns)
        csv = folder / f"{name}.csv"
        duckdb.execute(f"COPY (SELECT * FROM {source}) TO '{csv}' (HEADER false)")
        csv.chmod(0o644)
        statements = [
            f"BEGIN; CREATE TABLE {name} ({declared});"
            f" COPY {name} FROM '{csv}' WITH (FORMAT csv, FREEZE); COMMIT",
            f"CREATE INDEX {name}_key ON {name} ({_INDEXES[name]})",
            f"VACUUM ANALYZE {name}",
            "SET client_min_messages = warning; CREATE EXTENSION IF NOT EXISTS pg_prewarm",
            f"SELECT pg_prewarm('{name}'), pg_prewarm('{name}_key')",
        ]
        ask = [str(binaries / "psql"), "-q", "-h", str(folder), "-U", "postgres"]
        for statement in statements:
            flags = ["-v", "ON_ERROR_STOP=1", "-c", statement]
            subprocess.run([*ask, *flags], check=True, stdout=subprocess.DEVNULL)
        csv.unlink()


def _own(folder: Path) -> None:
    """Make the folder, and give it to the server's user: PostgreSQL refuses to be root."""
    folder.mkdir(exist_ok=True)
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")


def _as_other() -> list[str]:
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]


def _run(command: Sequence[str]) -> None:
    subprocess.run([*_as_other(), *command], check=True, stdout=subprocess.DEVNULL)
