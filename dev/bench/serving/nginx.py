"""nginx with one worker process, keep-alive, no log, sending files from the page cache."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev.bench.serving.processes import answers, free_port, started

_CONFIG = """
daemon off;
worker_processes {workers};
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
{user}
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_timeout 65;
    keepalive_requests 1000000000;
    open_file_cache max=100 inactive=1h;
    open_file_cache_valid 1h;
    default_type application/json;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        root {bodies};
    }}
}}
"""


def program() -> str | None:
    """Return nginx's program, also where it is not on the path of users."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")


@contextmanager
def running(folder: Path, bodies: Path, workers: int) -> Iterator[tuple[str, int]]:
    """Serve the files of `bodies`; give address and pid. Raises OSError without nginx."""
    found = program()
    if found is None:
        raise OSError("nginx is not installed")
    folder.mkdir(exist_ok=True)
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(
        _CONFIG.format(workers=workers, folder=folder, port=port, bodies=bodies, user=user)
    )
    command = [found, "-p", str(folder), "-c", str(config), "-e", str(folder / "early.log")]
    with started(command, folder / "nginx.log", lambda: answers(port)) as process:
        yield f"127.0.0.1:{port}", process.pid
