"""What is checked, the image or a process: an instance that was started, and how that can fail."""

from __future__ import annotations

from typing import Protocol

NOT_BUILT, ENDED, WRONG_IMAGE, NOT_STOPPED = 70, 71, 72, 73
LOG_LINES = 20


class Failed(Exception):
    """What was to be checked cannot be, or ended; `exit_code` says in which way."""

    def __init__(self, exit_code: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Instance(Protocol):
    """An instance that was started; addresses are those of this machine."""

    @property
    def api_url(self) -> str:
        """Where its API port answers."""

    @property
    def admin_url(self) -> str:
        """Where its admin port answers."""

    def ended(self) -> int | None:
        """Return the exit code when it has ended, else None."""

    def log(self) -> list[str]:
        """Return the last lines that it wrote."""

    def stop(self) -> int:
        """Stop it as an operator does and return its exit code."""


def ended_by_itself(instance: Instance, exit_code: int) -> Failed:
    """Return what to raise when an instance has ended: its last lines name the cause."""
    lines = instance.log()[-LOG_LINES:] or ["(none)"]
    words = f"the instance ended by itself with exit code {exit_code}; its last lines:"
    return Failed(ENDED, "\n  ".join([words, *lines]))


def settings(project: str, admin_token: str) -> dict[str, str]:
    """Return the environment of an instance; both are paths as it sees them."""
    return {
        "OFFLOADER_CONFIG": project,
        "OFFLOADER_ADMIN_TOKEN_FILE": admin_token,
        "OFFLOADER_DRAIN_SECONDS": "0",
        "OFFLOADER_LOG_FORMAT": "json",
    }
