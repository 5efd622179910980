"""How stores are reached: endpoints and credentials, as one value that travels to processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from offloader.settings.settings import Settings


@dataclass(frozen=True, slots=True)
class Access:
    """Everything a store needs that is no location. Secrets are not in the repr.

    `gcs_token_file` is read again at each use, for such tokens live an hour. `https_hosts` are
    hosts that may lie at private addresses and may be redirected to.
    """

    gcs_auth: str = "default"
    gcs_token: str | None = field(default=None, repr=False)
    gcs_token_file: str | None = None
    gcs_emulator_url: str | None = None
    s3_region: str | None = None
    s3_endpoint: str | None = None
    s3_key_id: str | None = field(default=None, repr=False)
    s3_secret: str | None = field(default=None, repr=False)
    s3_session_token: str | None = field(default=None, repr=False)
    s3_auth: str = "default"
    https_hosts: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> Access:
        """Take what the settings say of stores."""
        return cls(**{one.name: getattr(settings, one.name) for one in fields(cls)})

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Access:
        """Return what `as_document` was made from."""
        return cls(**{**document, "https_hosts": tuple(document.get("https_hosts", ()))})

    def as_document(self) -> dict[str, Any]:
        """Return the values as JSON has them, secrets included: for a pipe, never for a log."""
        return {one.name: getattr(self, one.name) for one in fields(self)}
