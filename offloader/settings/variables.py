"""The one table of environment variables: name, field, default, parser and meaning.

Settings are read by it and the reference is tested against it. A variable that is set to an empty
text counts as not set.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from offloader.settings import parsers

MIB = 2**20
SECRET_FILE_SUFFIX = "_FILE"
MAX_SECONDS = 604_800.0


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable.

    `default_text` is the default as the reference states it; it is also the whole truth where
    `default` is None and the value depends on the machine. A secret may also be given as a file,
    named by the variable with `_FILE` added.
    """

    name: str
    field: str
    default: object
    default_text: str
    parse: Callable[[str], object]
    description: str
    is_secret: bool = False


VARIABLES: tuple[Variable, ...] = (
    Variable(
        "OFFLOADER_CONFIG", "config", None, "required", parsers.text,
        "The project: a folder, its `offloader.yml`, or a bucket prefix (`gs://…`, `s3://…`)",
    ),
    Variable(
        "OFFLOADER_CONFIG_SYNC_INTERVAL", "config_sync_interval_seconds", 0.0, "0 (off)",
        parsers.seconds(1, MAX_SECONDS, or_zero=True),
        "Seconds between looks at the project for changes",
    ),
    Variable(
        "OFFLOADER_CACHE_DIR", "cache_dir", Path("/var/lib/offloader/cache"),
        "/var/lib/offloader/cache", parsers.path,
        "Where built segments and the state are kept; a volume makes restarts warm",
    ),
    Variable(
        "OFFLOADER_API_HOST", "api_host", "0.0.0.0", "0.0.0.0", parsers.host,
        "The address of the API port",
    ),
    Variable(
        "OFFLOADER_API_PORT", "api_port", 4000, "4000", parsers.port,
        "The API port; 0 lets the system choose",
    ),
    Variable(
        "OFFLOADER_ADMIN_HOST", "admin_host", "0.0.0.0", "0.0.0.0", parsers.host,
        "The address of the admin port",
    ),
    Variable(
        "OFFLOADER_ADMIN_PORT", "admin_port", 4001, "4001", parsers.port,
        "The admin port; 0 lets the system choose",
    ),
    Variable(
        "OFFLOADER_ADMIN_TOKEN", "admin_token", None, "unset", parsers.token,
        "The bearer token of diagnostics and admin actions; unset refuses them all",
        is_secret=True,
    ),
    Variable(
        "OFFLOADER_WORKERS", "workers", None, "the CPUs this container may use",
        parsers.whole(1, 1024), "Worker processes",
    ),
    Variable(
        "OFFLOADER_MEMORY_LIMIT", "memory_limit_bytes", None, "80 % of the container's memory",
        parsers.size(MIB), "Memory for snapshots, such as `2GB` or `512MiB`",
    ),
    Variable(
        "OFFLOADER_RESPONSE_CACHE_BYTES", "response_cache_bytes", 64 * MIB, "64MiB",
        parsers.size(0), "Memory for kept answers in each worker; 0 is off",
    ),
    Variable(
        "OFFLOADER_REFRESH_INTERVAL", "refresh_interval_seconds", 30.0, "30",
        parsers.seconds(0.1, MAX_SECONDS),
        "Seconds between looks at a manifest for which the dataset says nothing else",
    ),
    Variable(
        "OFFLOADER_BUILD_LIMIT_SECONDS", "build_limit_seconds", 14_400.0, "14400",
        parsers.seconds(1, MAX_SECONDS),
        "How long the build of one snapshot may take before it is ended",
    ),
    Variable(
        "OFFLOADER_SCAN_CONCURRENCY", "scan_concurrency", 2, "2", parsers.whole(1, 256),
        "Heavy scans at a time in each worker",
    ),
    Variable(
        "OFFLOADER_HOT_PATH", "hot_path", True, "on", parsers.switch,
        "Answer plain requests of endpoints before the web server's own request path: `on` or"
        " `off`, with the same answers",
    ),
    Variable(
        "OFFLOADER_DRAIN_SECONDS", "drain_seconds", 5.0, "5", parsers.seconds(0, 3600),
        "Seconds between the first sign of a stop and the closing of the ports",
    ),
    Variable(
        "OFFLOADER_SHUTDOWN_SECONDS", "shutdown_seconds", 25.0, "25", parsers.seconds(0, 3600),
        "Seconds that requests under way have to finish in",
    ),
    Variable(
        "OFFLOADER_LOG_LEVEL", "log_level", "info", "info",
        parsers.choice("debug", "info", "warning", "error"),
        "The least severe log line that is written: `debug`, `info`, `warning` or `error`",
    ),
    Variable(
        "OFFLOADER_LOG_FORMAT", "log_format", None, "json, or text on a terminal",
        parsers.choice("json", "text"), "How log lines are written: `json` or `text`",
    ),
    Variable(
        "OFFLOADER_ACCESS_LOG", "access_log", "errors", "errors",
        parsers.choice("off", "errors", "all"),
        "Which requests are logged: `off`, `errors` (a status from 400 on) or `all`",
    ),
    Variable(
        "OFFLOADER_TRACES", "traces", "off", "off", parsers.choice("off", "otlp"),
        "Whether requests and refreshes are traced by OpenTelemetry: `off` or `otlp`",
    ),
    Variable(
        "OFFLOADER_CORS_ORIGINS", "cors_origins", (), "unset", parsers.origins,
        "Origins whose pages may call the API: `*` or a comma-separated list",
    ),
    Variable(
        "OFFLOADER_GCS_AUTH", "gcs_auth", "default", "default",
        parsers.choice("default", "bearer", "none"),
        "How `gs://` is read: `default` (application default credentials), `bearer` or `none`",
    ),
    Variable(
        "OFFLOADER_GCS_TOKEN", "gcs_token", None, "unset", parsers.token,
        "The token of `OFFLOADER_GCS_AUTH=bearer`", is_secret=True,
    ),
    Variable(
        "STORAGE_EMULATOR_HOST", "gcs_emulator_url", None, "unset", parsers.emulator,
        "A storage emulator that answers for `gs://`",
    ),
    Variable(
        "OFFLOADER_S3_REGION", "s3_region", None, "the standard chain", parsers.region,
        "The region of `s3://` buckets",
    ),
    Variable(
        "OFFLOADER_S3_ENDPOINT", "s3_endpoint", None, "the standard chain", parsers.endpoint_url,
        "The URL of a storage service that speaks S3",
    ),
    Variable(
        "OFFLOADER_S3_KEY_ID", "s3_key_id", None, "the standard chain", parsers.token,
        "The id of the S3 key", is_secret=True,
    ),
    Variable(
        "OFFLOADER_S3_SECRET", "s3_secret", None, "the standard chain", parsers.token,
        "The secret of the S3 key", is_secret=True,
    ),
    Variable(
        "OFFLOADER_S3_SESSION_TOKEN", "s3_session_token", None, "the standard chain",
        parsers.token, "The session token of a temporary S3 key", is_secret=True,
    ),
    Variable(
        "OFFLOADER_S3_AUTH", "s3_auth", "default", "default", parsers.choice("default", "none"),
        "How `s3://` is read: `default` (the key here, else the standard chain) or `none`",
    ),
    Variable(
        "OFFLOADER_HTTPS_HOSTS", "https_hosts", (), "unset", parsers.hosts,
        "Hosts of `https://` URLs that may lie at private addresses and be redirected to, a"
        " comma-separated list",
    ),
    Variable(
        "OFFLOADER_SEGMENT_STORE", "segment_store", None, "unset", parsers.shared_folder,
        "A bucket prefix, or a shared folder, where replicas share the segments they built",
    ),
)  # fmt: skip
