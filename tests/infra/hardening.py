"""What an example grants the service that it runs, and the rules for that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from offloader import __version__
from offloader.settings.variables import VARIABLES

REPOSITORY = "ghcr.io/offloader/offloader"
IMAGE = f"{REPOSITORY}:{__version__}"
STATE_FOLDER = "/var/lib/offloader"
TOKEN, TOKEN_FILE = "OFFLOADER_ADMIN_TOKEN", "OFFLOADER_ADMIN_TOKEN_FILE"
# Some seconds beside what the service takes: the engine's own, and a slow machine's.
RESERVE_SECONDS = 5.0
_DEFAULTS = {variable.name: variable.default for variable in VARIABLES}


@dataclass(frozen=True, slots=True)
class Granted:
    """One way to run the service. `place` is its file or folder below infra.

    `image` is empty where there is no container. `secrets` are variables that the orchestrator
    fills itself, `writable` the paths that are mounted to be written. `before_stop_seconds` pass
    before the service is told to stop. `is_admin_private`: only operators get to the admin port.
    """

    place: str
    image: str
    user: str
    is_read_only: bool
    has_no_capabilities: bool
    has_no_new_privileges: bool
    is_admin_private: bool
    writable: tuple[str, ...]
    stop_seconds: float
    has_health_check: bool
    environ: Mapping[str, str]
    secrets: tuple[str, ...] = ()
    before_stop_seconds: float = 0.0
    is_restarted: bool = True


def _is_token_apart(granted: Granted) -> bool:
    """The token is in a file, or at least given by the orchestrator's own store of secrets."""
    is_given = TOKEN_FILE in granted.environ or TOKEN in granted.secrets
    return is_given and TOKEN not in granted.environ


def _has_time_to_stop(granted: Granted) -> bool:
    names = ("OFFLOADER_DRAIN_SECONDS", "OFFLOADER_SHUTDOWN_SECONDS")
    own = sum(float(granted.environ.get(name) or str(_DEFAULTS[name])) for name in names)
    return granted.stop_seconds >= granted.before_stop_seconds + own + RESERVE_SECONDS


def _is_own_user(granted: Granted) -> bool:
    user, _, group = granted.user.partition(":")
    return user == "dynamic" or (user == "10001" and group in ("0", "10001"))


RULES: Mapping[str, Callable[[Granted], bool]] = {
    "the image is of this version": lambda g: g.image in (IMAGE, ""),
    "the root is read-only": lambda g: g.is_read_only,
    "every capability is dropped": lambda g: g.has_no_capabilities,
    "no new privileges": lambda g: g.has_no_new_privileges,
    "a uid that is not root": _is_own_user,
    "the admin port is private": lambda g: g.is_admin_private,
    "the admin token is apart": _is_token_apart,
    "the state folder is all that can be written": lambda g: g.writable == (STATE_FOLDER,),
    "the stop waits for the drain": _has_time_to_stop,
    "there is a health check": lambda g: g.has_health_check,
    "it is started again": lambda g: g.is_restarted,
}
# What a platform has no means for, and what stands for it.
EXCEPTIONS: Mapping[tuple[str, str], str] = {
    ("ecs/task-definition.json", "no new privileges"): "Fargate has no such option",
    ("systemd/offloader.service", "there is a health check"): (
        "systemd asks no port; the service's own watchdog brings back what hangs"
    ),
}


def broken(granted: Granted) -> set[str]:
    """Return the rules that are not kept."""
    return {name for name, is_kept in RULES.items() if not is_kept(granted)}
