"""Read what a compose file and a script around `docker run` grant."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from tests.infra.hardening import Granted

_DEFAULT = re.compile(r"\$\{\w+:-([^}]*)\}")
_NO_NEW_PRIVILEGES = ("no-new-privileges", "no-new-privileges:true")
_RESTARTING = ("always", "unless-stopped")
ADMIN_PORT = "4001"


def compose_service(path: Path, place: str, name: str = "offloader") -> Granted:
    """Read one service of a compose file."""
    document: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    service = document["services"][name]
    writable = [mount.split(":")[1] for mount in service["volumes"] if not mount.endswith(":ro")]
    return Granted(
        place=place,
        image=with_defaults(service["image"]),
        user=service["user"],
        is_read_only=service["read_only"] is True,
        has_no_capabilities=service["cap_drop"] == ["ALL"] and "cap_add" not in service,
        has_no_new_privileges=service["security_opt"][0] in _NO_NEW_PRIVILEGES,
        is_admin_private=are_private(service["ports"]) and "privileged" not in service,
        writable=(*writable, *service.get("tmpfs", ())),
        stop_seconds=float(service["stop_grace_period"].removesuffix("s")),
        has_health_check="/ready" in str(service["healthcheck"]["test"]),
        environ=service["environment"],
        is_restarted=service["restart"] in _RESTARTING,
    )


def run_script(path: Path, place: str, folder: Path) -> Granted:
    """Read a script by running it, with an engine in `folder` that only shows its words."""
    words = asked_of_the_engine(path, folder, {})
    values: dict[str, list[str]] = {}
    for word, after in pairwise(words):
        if word.startswith("--"):
            values.setdefault(word, []).append(after)
    mounts = [dict(pair.partition("=")[::2] for pair in m.split(",")) for m in values["--mount"]]
    return Granted(
        place=place,
        image=words[-1],
        user=values["--user"][0],
        is_read_only="--read-only" in words,
        has_no_capabilities=values["--cap-drop"] == ["ALL"] and "--cap-add" not in words,
        has_no_new_privileges=values["--security-opt"] == ["no-new-privileges"],
        is_admin_private=are_private(values["--publish"]) and "--privileged" not in words,
        writable=tuple(one["target"] for one in mounts if "readonly" not in one),
        stop_seconds=float(values["--stop-timeout"][0]),
        has_health_check="--health-interval" in words and "--no-healthcheck" not in words,
        environ=dict(pair.split("=", 1) for pair in values["--env"]),
        is_restarted=values["--restart"][0] in _RESTARTING,
    )


def asked_of_the_engine(
    path: Path, folder: Path, environ: Mapping[str, str], *arguments: str
) -> list[str]:
    """Run a script with an engine that only shows how it was called; return those words."""
    stand_in = folder / "docker"
    stand_in.write_text('#!/bin/sh\nfor word; do echo "$word"; done\n', encoding="utf-8")
    stand_in.chmod(0o755)
    done = subprocess.run(
        [path, *arguments],
        cwd=folder,
        env={"PATH": f"{folder}:{os.environ['PATH']}", **environ},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def are_private(ports: list[str]) -> bool:
    """Tell whether the admin port is published, and on this machine's own address alone."""
    admin = [port for port in ports if port.rpartition(":")[2] == ADMIN_PORT]
    return bool(admin) and all(port.startswith("127.0.0.1:") for port in admin)


def with_defaults(text: str) -> str:
    """Return a text of a compose file as it is when no variable is set."""
    return _DEFAULT.sub(r"\1", text)
