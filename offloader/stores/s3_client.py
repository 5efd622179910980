"""The AWS client of one store: whose credentials, which region and endpoint, how patient."""

from __future__ import annotations

from typing import Any

from botocore import UNSIGNED
from botocore.config import Config
from botocore.session import Session

from offloader.stores.access import Access
from offloader.stores.store import StoreDenied

CONNECTIONS = 96  # as many as look, download and answer operators at once
# AWS finds a bucket's region from any other; compatible stores mostly take this one.
_REGION = "us-east-1"


def open_client(access: Access, seconds: tuple[float, float]) -> Any:
    """Make a client that makes each call once, with `seconds` to connect and between two bytes.

    The credential chain may ask a metadata server of the machine, for 1 s unless AWS_METADATA_*
    say otherwise. Raises StoreDenied `credentials_missing`, and what botocore raises.
    """
    session = Session()
    session.set_default_client_config(_patience(seconds))
    if access.s3_key_id:
        session.set_credentials(access.s3_key_id, access.s3_secret, access.s3_session_token)
    if access.s3_auth != "none" and session.get_credentials() is None:
        raise no_credentials()
    client = session.create_client(
        "s3",
        region_name=access.s3_region or session.get_config_variable("region") or _REGION,
        endpoint_url=access.s3_endpoint,
        config=_config(access),
    )
    client.meta.events.register_first("needs-retry.s3", _redirected_once)
    return client


def no_credentials() -> StoreDenied:
    """Return the error for a credential chain that ends without any."""
    hint = (
        "run with a role, or set OFFLOADER_S3_KEY_ID and OFFLOADER_S3_SECRET;"
        " for a public bucket set OFFLOADER_S3_AUTH=none"
    )
    return StoreDenied("credentials_missing", "there are no AWS credentials for s3://", hint)


def _redirected_once(request_dict: Any, operation: Any, **_: Any) -> None:
    """Keep botocore from asking for a bucket's region again because of what that question brought.

    It does so without end where every answer is a redirect, as of a proxy that wants a login.
    """
    if operation.name == "HeadBucket":
        request_dict["context"].setdefault("s3_redirect", {})["redirected"] = True


def _patience(seconds: tuple[float, float]) -> Config:
    """Return limits that hold for the token service of a role, too."""
    return Config(
        connect_timeout=seconds[0],
        read_timeout=seconds[1],
        retries={"total_max_attempts": 1, "mode": "standard"},
        max_pool_connections=CONNECTIONS,
    )


def _config(access: Access) -> Config:
    """Return what a bucket takes: bytes as they lie there, names in the path for other stores."""
    config = Config(
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    if access.s3_endpoint:
        config = config.merge(Config(s3={"addressing_style": "path"}))
    return config.merge(Config(signature_version=UNSIGNED)) if access.s3_auth == "none" else config
