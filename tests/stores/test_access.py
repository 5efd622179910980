"""What stores are reached with."""

from __future__ import annotations

import json

from offloader.settings.settings import read_settings
from offloader.stores.access import Access
from offloader.stores.location import parse_url
from offloader.stores.open import Stores

SECRETS = Access(
    gcs_auth="bearer",
    gcs_token="secret-1",
    s3_key_id="secret-2",
    s3_secret="secret-3",
    s3_session_token="secret-4",
    https_hosts=("data.internal", "10.0.0.7:8443"),
)
