"""nginx before the two instances, with the configuration that is in `infra/rolling-update`."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.service_process import wait_until

EXAMPLE = Path(__file__).resolve().parents[2] / "infra" / "rolling-update" / "offloader.conf"
FLAGS = "/run/offloader-rollout"
LISTEN, FIRST, SECOND = "127.0.0.1:8080", "127.0.0.1:4000", "127.0.0.1:4010"
# Not that of any instance; nobody else uses it either.
HOST = "127.0.0.4"
_START_SECONDS = 10.0
_WORKERS = 2
_FAILED_TRY = re.compile(r"\[error\].*?: \*\d+ (?:\w+\(\) failed )?\(?(.*?)\)? while ")
_MAIN = """\
daemon off;
{user}
worker_processes {workers};
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/offloader.conf;
}}
"""


@dataclass(slots=True, eq=False)
class Front:
    """A running nginx; everything of it is in `folder`."""

    folder: Path
    address: tuple[str, int]
    example: str
    process: subprocess.Popen[bytes] | None = None

    def put_out(self, name: str) -> None:
        """Have the next request, and all after it, go to the other instance."""
        (self.folder / f"{name}.out").touch()

    def take_back(self, name: str) -> None:
        """Have requests go to both again."""
        (self.folder / f"{name}.out").unlink()

    def reload(self, *, down: str = "") -> None:
        """Read the configuration again, one server marked `down`; wait for the new workers."""
        text = self.example.replace(f"{down} max_fails=0;", f"{down} down;") if down else ""
        self.write(text or self.example)
        assert self.process is not None
        before = self._workers()
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(self._workers() - before) >= _WORKERS, _START_SECONDS, self.log)

    def write(self, text: str) -> None:
        """Write the configuration."""
        (self.folder / "offloader.conf").write_text(text)

    def log(self) -> str:
        """Return the error log so far."""
        path = self.folder / "error.log"
        return path.read_text() if path.exists() else ""

    def failed_tries(self) -> Counter[str]:
        """Count what went wrong between nginx and an instance, by nginx's words for it."""
        return Counter(_FAILED_TRY.findall(self.log()))

    def is_listening(self) -> bool:
        """Tell whether the port accepts; raise RuntimeError when nginx has ended."""
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError(f"nginx ended: {self.log()}")
        with socket.socket() as client:
            return client.connect_ex(self.address) == 0

    def _workers(self) -> set[str]:
        assert self.process is not None
        pid = self.process.pid
        return set(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def program() -> str | None:
    """Return nginx's program, also where it is not on the path of users."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")


def rendered(folder: Path, addresses: tuple[str, str], listen: str) -> str:
    """Return the example for these addresses; raise ValueError when it has not what is replaced."""
    text = EXAMPLE.read_text()
    exchanged = {LISTEN: listen, FIRST: addresses[0], SECOND: addresses[1], FLAGS: str(folder)}
    for known, own in exchanged.items():
        if known not in text:
            raise ValueError(f"{EXAMPLE.name} does not have {known} any more")
        text = text.replace(known, own)
    return text


def write_config(folder: Path, text: str) -> list[str]:
    """Write all that nginx reads into a folder; return the command that starts it."""
    found = program()
    if found is None:
        raise RuntimeError("nginx is not installed: apt-get install nginx")
    user = "user root;" if os.geteuid() == 0 else ""  # else its workers may not read the folder
    (folder / "nginx.conf").write_text(_MAIN.format(folder=folder, user=user, workers=_WORKERS))
    (folder / "offloader.conf").write_text(text)
    return [found, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", f"{folder}/early.log"]


@contextmanager
def front(folder: Path, addresses: tuple[str, str], *, is_marking: bool = False) -> Iterator[Front]:
    """Run nginx before two instances; `is_marking` leaves out `max_fails=0`, its defaults then."""
    folder.mkdir()
    with socket.create_server((HOST, 0)) as probe:
        address: tuple[str, int] = probe.getsockname()
    text = rendered(folder, addresses, f"{HOST}:{address[1]}")
    text = text.replace(" max_fails=0", "") if is_marking else text
    made = Front(folder, address, text)
    command = write_config(folder, text)
    process = made.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        wait_until(made.is_listening, _START_SECONDS, made.log)
        yield made
    finally:
        process.send_signal(signal.SIGQUIT)  # not sent to one that has ended
        try:
            process.wait(timeout=_START_SECONDS)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait()
