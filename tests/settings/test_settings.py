"""The environment becomes Settings, or every problem at once; no secret is ever shown."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offloader.errors import ConfigError
from offloader.settings.settings import VARIABLES, Settings, read_settings
from tests.settings.environments import GIB, NAMES, read, read_both, refused, warned


def test_defaults() -> None:
    """Only OFFLOADER_CONFIG is required; the rest follows the contract and the machine."""
    assert read() == Settings(
        config="/p",
        config_sync_interval_seconds=0.0,
        cache_dir=Path("/var/lib/offloader/cache"),
        api_host="0.0.0.0",
        api_port=4000,
        admin_host="0.0.0.0",
        admin_port=4001,
        admin_token=None,
        workers=4,
        memory_limit_bytes=8 * GIB,
        response_cache_bytes=64 * 2**20,
        refresh_interval_seconds=30.0,
        build_limit_seconds=14_400.0,
        scan_concurrency=2,
        hot_path=True,
        drain_seconds=5.0,
        shutdown_seconds=25.0,
        log_level="info",
        log_format="json",
        access_log="errors",
        traces="off",
        cors_origins=(),
        gcs_auth="default",
        gcs_token=None,
        gcs_token_file=None,
        gcs_emulator_url=None,
        s3_region=None,
        s3_endpoint=None,
        s3_key_id=None,
        s3_secret=None,
        s3_session_token=None,
        s3_auth="default",
        https_hosts=(),
        segment_store=None,
    )


def test_logs_are_text_on_a_terminal() -> None:
    """A person reads text, a machine JSON; the variable overrides both."""
    environ = {"OFFLOADER_CONFIG": "/p"}
    settings, _ = read_settings(environ, is_terminal=True, cpus=1, memory_bytes=GIB)
    assert settings.log_format == "text"
    assert read(LOG_FORMAT="text").log_format == "text"


ACCEPTED: list[tuple[str, str, str, object]] = [
    ("CONFIG", "s3://bucket/project", "config", "s3://bucket/project"),
    ("CONFIG_SYNC_INTERVAL", "0", "config_sync_interval_seconds", 0.0),
    ("CONFIG_SYNC_INTERVAL", "2.5", "config_sync_interval_seconds", 2.5),
    ("CACHE_DIR", "cache", "cache_dir", Path("cache")),
    ("API_PORT", "0", "api_port", 0),
    ("ADMIN_PORT", "65535", "admin_port", 65535),
    ("API_HOST", "::1", "api_host", "::1"),
    ("WORKERS", "1", "workers", 1),
    ("MEMORY_LIMIT", "1048576", "memory_limit_bytes", 2**20),
    ("MEMORY_LIMIT", "512MiB", "memory_limit_bytes", 512 * 2**20),
    ("MEMORY_LIMIT", "2GB", "memory_limit_bytes", 2 * 10**9),
    ("MEMORY_LIMIT", "2gib", "memory_limit_bytes", 2 * GIB),
    ("RESPONSE_CACHE_BYTES", "0", "response_cache_bytes", 0),
    ("REFRESH_INTERVAL", "0.1", "refresh_interval_seconds", 0.1),
    ("DRAIN_SECONDS", "0", "drain_seconds", 0.0),
    ("LOG_LEVEL", "debug", "log_level", "debug"),
    ("ACCESS_LOG", "off", "access_log", "off"),
    ("TRACES", "otlp", "traces", "otlp"),
    ("HOT_PATH", "on", "hot_path", True),
    ("HOT_PATH", "off", "hot_path", False),
    ("CORS_ORIGINS", "*", "cors_origins", ("*",)),
    (
        "CORS_ORIGINS",
        "https://a.example, http://localhost:3000,https://a.example",
        "cors_origins",
        ("https://a.example", "http://localhost:3000"),
    ),
    ("S3_ENDPOINT", "http://localhost:9000/", "s3_endpoint", "http://localhost:9000"),
    ("HTTPS_HOSTS", "data.internal", "https_hosts", ("data.internal",)),
    (
        "HTTPS_HOSTS",
        "Data.Internal, 10.0.0.7:8443,[::1]:1,data.internal",
        "https_hosts",
        ("data.internal", "10.0.0.7:8443", "[::1]:1"),
    ),
    ("SEGMENT_STORE", "gs://bucket/a/", "segment_store", "gs://bucket/a"),
    ("SEGMENT_STORE", "s3://bucket", "segment_store", "s3://bucket"),
    ("SEGMENT_STORE", "/mnt/segments/", "segment_store", "/mnt/segments"),
    ("ADMIN_TOKEN", "s3cret", "admin_token", "s3cret"),
]
REFUSED = [
    *(("API_PORT", v) for v in ("-1", "65536", "http", "4000 ", "4_000", "٤")),
    ("API_PORT", "tcp://10.0.0.1:4000"),
    *(("WORKERS", v) for v in ("0", "1025", "1.5", "all")),
    *(("MEMORY_LIMIT", v) for v in ("1MB", "512 MiB", "1e9", "-1", "2XB", "9" * 15 + "TB")),
    *(("CONFIG_SYNC_INTERVAL", v) for v in ("0.5", "-1", "30s", "nan", "604801")),
    *(("REFRESH_INTERVAL", v) for v in ("0", "inf")),
    ("LOG_LEVEL", "INFO"),
    ("LOG_FORMAT", "xml"),
    ("ACCESS_LOG", "none"),
    *(("HOT_PATH", v) for v in ("On", "true", "1")),
    ("API_HOST", "a b"),
    *(
        ("CORS_ORIGINS", v)
        for v in ("a.example", "https://a/", "https://a,,", "https://*.a", "*,*")
    ),
    ("GCS_AUTH", "token"),
    ("S3_AUTH", "static"),
    *(("S3_ENDPOINT", v) for v in ("localhost:9000", "https://h/path", "https://u:p@h")),
    *(("SEGMENT_STORE", v) for v in ("bucket", "https://b/x", "gs://", "gs://b/../c")),
    *(("SEGMENT_STORE", v) for v in ("segments", "/", "/a/../b", "://b", "gs:///a", "x/://b")),
    ("S3_REGION", "EU!"),
    *(("HTTPS_HOSTS", v) for v in ("*", "a,,b", "a b", "https://a", "a/b", "u@a", "a:99999", "ä")),
    ("HTTPS_HOSTS", ",".join(f"h{number}" for number in range(101))),
    ("CACHE_DIR", "a\nb"),
    ("ADMIN_TOKEN", "two words"),
]


@pytest.mark.parametrize(("name", "text", "field", "value"), ACCEPTED)
def test_a_value_is_read_exactly(name: str, text: str, field: str, value: object) -> None:
    """Each accepted text becomes the stated value."""
    assert getattr(read(**{name: text}), field) == value


@pytest.mark.parametrize(("name", "text"), REFUSED)
def test_a_bad_value_is_refused(name: str, text: str) -> None:
    """Each refused text is one problem at its variable."""
    assert refused(**{name: text}) == [(name, "variable_invalid")]


def test_an_empty_value_counts_as_unset() -> None:
    """Compose files pass on variables that nobody set as empty texts."""
    assert read(ADMIN_TOKEN="", WORKERS="", LOG_LEVEL="") == read()
    assert refused(CONFIG="") == [("CONFIG", "variable_missing")]


def test_all_problems_come_at_once() -> None:
    """Three bad values are three problems, sorted by name."""
    assert refused(CONFIG="", WORKERS="x", API_PORT="x") == [
        ("API_PORT", "variable_invalid"),
        ("CONFIG", "variable_missing"),
        ("WORKERS", "variable_invalid"),
    ]


def test_the_two_ports_are_separate() -> None:
    """One port on overlapping hosts is refused; 0 and separate hosts are fine."""
    clash = [("ADMIN_PORT", "port_clash")]
    assert refused(API_PORT="4001") == clash
    assert refused(API_PORT="4001", API_HOST="127.0.0.1") == clash
    assert refused(API_PORT="4001", ADMIN_HOST="::") == clash
    assert read(API_PORT="0", ADMIN_PORT="0").api_port == 0
    hosts = {"API_HOST": "127.0.0.1", "ADMIN_HOST": "127.0.0.2"}
    assert read(API_PORT="4001", **hosts).admin_port == 4001


def test_a_kubernetes_service_link_is_recognised() -> None:
    """A service called offloader-api sets OFFLOADER_API_PORT; the hint says what to do."""
    with pytest.raises(ConfigError) as refusal:
        read(API_PORT="tcp://10.0.0.1:4000")
    assert "enableServiceLinks: false" in refusal.value.problems[0].hint


def test_keys_come_in_pairs() -> None:
    """Half of an S3 key, or a bearer without a token, is refused."""
    assert refused(S3_KEY_ID="id") == [("S3_SECRET", "s3_key_incomplete")]
    assert refused(S3_SECRET="x") == [("S3_KEY_ID", "s3_key_incomplete")]
    assert refused(GCS_AUTH="bearer") == [("GCS_TOKEN", "token_missing")]
    assert read(S3_KEY_ID="id", S3_SECRET="x").s3_secret == "x"
    assert read(GCS_AUTH="bearer", GCS_TOKEN="t").gcs_token == "t"


def test_the_storage_emulator_is_honoured() -> None:
    """STORAGE_EMULATOR_HOST has no prefix of ours and may leave out http://."""
    for text in ("localhost:9023", "http://localhost:9023/"):
        environ = {"OFFLOADER_CONFIG": "/p", "STORAGE_EMULATOR_HOST": text}
        settings, warnings = read_settings(environ, is_terminal=False, cpus=1, memory_bytes=GIB)
        assert (settings.gcs_emulator_url, warnings) == ("http://localhost:9023", ())
    environ = {"OFFLOADER_CONFIG": "/p", "STORAGE_EMULATOR_HOST": "a b"}
    with pytest.raises(ConfigError):
        read_settings(environ, is_terminal=False, cpus=1, memory_bytes=GIB)


def test_unknown_names_are_warned_of() -> None:
    """A misspelt variable names the nearest known one and stops nothing."""
    _, warnings = read_both(API_PROT="1", MEMORY_LIMIT_FILE="x", ZZZ="s3cret")
    assert [(w.path, w.code, w.hint) for w in warnings] == [
        ("OFFLOADER_API_PROT", "unknown_variable", "did you mean OFFLOADER_API_PORT?"),
        ("OFFLOADER_MEMORY_LIMIT_FILE", "unknown_variable", "did you mean OFFLOADER_MEMORY_LIMIT?"),
        ("OFFLOADER_ZZZ", "unknown_variable", "remove it"),
    ]
    assert "s3cret" not in repr(warnings)


def test_values_without_effect_are_warned_of() -> None:
    """A credential that the mode of authentication ignores is pointed out."""
    assert warned(GCS_TOKEN="t") == [("GCS_TOKEN", "variable_unused")]
    assert warned(S3_AUTH="none", S3_KEY_ID="i", S3_SECRET="s") == [
        ("S3_KEY_ID", "variable_unused")
    ]
    assert warned(S3_SESSION_TOKEN="t") == [("S3_SESSION_TOKEN", "variable_unused")]
    assert warned(MEMORY_LIMIT="11GiB") == [("MEMORY_LIMIT", "memory_limit_above_machine")]


def test_the_table_and_the_settings_agree() -> None:
    """Every field has one variable, and every variable one field; a token may have a file's."""
    fields = [field.name for field in dataclasses.fields(Settings)]
    fields.remove("gcs_token_file")
    assert [variable.field for variable in VARIABLES] == fields
    assert len(set(NAMES)) == len(NAMES)


@given(st.sampled_from(NAMES), st.text(st.characters(exclude_characters="\0"), max_size=20))
def test_any_value_is_taken_or_refused(name: str, text: str) -> None:
    """No text makes anything but settings or a ConfigError."""
    environ = {"OFFLOADER_CONFIG": "/p", name: text}
    try:
        settings, _ = read_settings(environ, is_terminal=False, cpus=1, memory_bytes=GIB)
    except ConfigError:
        return
    assert settings.config
