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


def test_no_secret_is_in_the_repr() -> None:
    """However an access is printed, no secret is in it."""
    assert "secret-" not in repr(SECRETS)
    assert "secret-" not in str([SECRETS])


def test_an_access_travels_as_json() -> None:
    """What came through a pipe is what went in, secrets and all."""
    assert Access.from_document(json.loads(json.dumps(SECRETS.as_document()))) == SECRETS
    assert Access.from_document(Access().as_document()) == Access()


def test_an_access_is_what_the_settings_say() -> None:
    """Settings of stores become the access; nothing else is looked at."""
    environ = {
        "OFFLOADER_CONFIG": "project",
        "STORAGE_EMULATOR_HOST": "localhost:9023",
        "OFFLOADER_S3_KEY_ID": "key",
        "OFFLOADER_S3_SECRET": "secret",
        "OFFLOADER_HTTPS_HOSTS": "Data.internal,10.0.0.7:8443",
    }
    expected = Access(
        gcs_emulator_url="http://localhost:9023",
        s3_key_id="key",
        s3_secret="secret",
        https_hosts=("data.internal", "10.0.0.7:8443"),
    )
    settings, _ = read_settings(environ, is_terminal=False, cpus=1, memory_bytes=2**30)
    assert Access.of(settings) == expected


def test_a_store_is_opened_once_for_each_bucket() -> None:
    """Objects of one bucket share a store, also those asked for before it was."""
    stores = Stores(Access(gcs_emulator_url="http://127.0.0.1:9"))
    store = stores.at(parse_url("gs://one/a"))
    assert stores.at(parse_url("gs://one/b/c")) is store
    assert stores.at(parse_url("gs://two/a")) is not store
    assert store.url == "gs://one"
