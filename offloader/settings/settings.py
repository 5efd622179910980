"""The environment as frozen Settings: every problem at once, no secret in any message."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from offloader.errors import ConfigError, Problem
from offloader.settings.secrets import read_secret
from offloader.settings.variables import SECRET_FILE_SUFFIX, VARIABLES, Variable

__all__ = ["VARIABLES", "Settings", "read_settings"]

PREFIX = "OFFLOADER_"
MEMORY_SHARE = 0.8
_WILDCARD_HOSTS = frozenset({"0.0.0.0", "::"})
_SHOWN_VALUE = 60


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says. Names end in their unit; None stands for unset.

    `config_sync_interval_seconds` 0 is off, a port 0 is chosen by the system. Secrets are not in
    the repr.
    """

    config: str
    config_sync_interval_seconds: float
    cache_dir: Path
    api_host: str
    api_port: int
    admin_host: str
    admin_port: int
    admin_token: str | None = field(repr=False)
    workers: int
    memory_limit_bytes: int
    response_cache_bytes: int
    refresh_interval_seconds: float
    build_limit_seconds: float
    scan_concurrency: int
    hot_path: bool
    drain_seconds: float
    shutdown_seconds: float
    log_level: str
    log_format: str
    access_log: str
    traces: str
    cors_origins: tuple[str, ...]
    gcs_auth: str
    gcs_token: str | None = field(repr=False)
    gcs_token_file: str | None
    gcs_emulator_url: str | None
    s3_region: str | None
    s3_endpoint: str | None
    s3_key_id: str | None = field(repr=False)
    s3_secret: str | None = field(repr=False)
    s3_session_token: str | None = field(repr=False)
    s3_auth: str
    https_hosts: tuple[str, ...]
    segment_store: str | None


def read_settings(
    environ: Mapping[str, str], *, is_terminal: bool, cpus: int, memory_bytes: int
) -> tuple[Settings, tuple[Problem, ...]]:
    """Read the settings; return them with warnings, which never stop a start.

    `cpus` and `memory_bytes` are what this container may use: the defaults of the workers and of
    the memory limit. Raises ConfigError with every problem; its file is `environment`.
    """
    problems: list[Problem] = []
    values = {
        "workers": max(1, cpus),
        "memory_limit_bytes": int(memory_bytes * MEMORY_SHARE),
        "log_format": "text" if is_terminal else "json",
    }
    found = {v.field: _read(v, environ, problems) for v in VARIABLES}
    merged: dict[str, Any] = {
        v.field: values.get(v.field, v.default) if found[v.field] is None else found[v.field]
        for v in VARIABLES
    }
    problems += _missing(environ) + _contradictions(merged, environ)
    if problems:
        raise ConfigError(problems)
    # Such a token lives an hour, so who uses it reads the file again.
    merged["gcs_token_file"] = environ.get("OFFLOADER_GCS_TOKEN" + SECRET_FILE_SUFFIX) or None
    return Settings(**merged), _warnings(environ, merged, memory_bytes)


def _read(variable: Variable, environ: Mapping[str, str], problems: list[Problem]) -> object:
    """Return the parsed value; None when it is not set or was refused."""
    text = environ.get(variable.name, "")
    file_name = variable.name + SECRET_FILE_SUFFIX
    if variable.is_secret and environ.get(file_name):
        if text:
            message = f"{variable.name} and {file_name} are both set"
            problems.append(_problem(file_name, "secret_twice", message, "keep one of the two"))
            return None
        fault, text = read_secret(Path(environ[file_name]))
        if fault:
            problems.append(_problem(file_name, *fault))
            return None
    if not text:
        return None
    try:
        return variable.parse(text)
    except ValueError as error:
        is_private = variable.is_secret or "@" in text  # a URL may hold a password
        shown = "what is set" if is_private else _shown(text)
        message = f"{shown} is not a value of this variable"
        hint = f"expected {error}"
        problems.append(_problem(variable.name, "variable_invalid", message, hint))
        return None


def _missing(environ: Mapping[str, str]) -> list[Problem]:
    if environ.get("OFFLOADER_CONFIG"):
        return []
    hint = "set it to the project's folder, such as /etc/offloader"
    return [_problem("OFFLOADER_CONFIG", "variable_missing", "the project is not named", hint)]


def _contradictions(values: Mapping[str, Any], environ: Mapping[str, str]) -> list[Problem]:
    problems = []
    hosts = {values["api_host"], values["admin_host"]}
    is_overlapping = len(hosts) == 1 or bool(hosts & _WILDCARD_HOSTS)
    if values["api_port"] == values["admin_port"] != 0 and is_overlapping:
        message = f"the API port is {values['api_port']} too: they must be separate"
        hint = "choose another port, and keep it private"
        problems.append(_problem("OFFLOADER_ADMIN_PORT", "port_clash", message, hint))
    if values["gcs_auth"] == "bearer" and not _is_set(environ, "OFFLOADER_GCS_TOKEN"):
        hint = "set it, or OFFLOADER_GCS_TOKEN_FILE"
        message = "OFFLOADER_GCS_AUTH is bearer and there is no token"
        problems.append(_problem("OFFLOADER_GCS_TOKEN", "token_missing", message, hint))
    s3_parts = [_is_set(environ, f"OFFLOADER_S3_{part}") for part in ("KEY_ID", "SECRET")]
    if any(s3_parts) != all(s3_parts):
        name = "OFFLOADER_S3_SECRET" if s3_parts[0] else "OFFLOADER_S3_KEY_ID"
        hint = "set both, or neither for the standard chain"
        problems.append(_problem(name, "s3_key_incomplete", "half of the S3 key is missing", hint))
    return problems


def _warnings(
    environ: Mapping[str, str], values: Mapping[str, Any], memory_bytes: int
) -> tuple[Problem, ...]:
    warnings = _unknown_names(environ)
    if values["memory_limit_bytes"] > memory_bytes:
        message = f"the limit is above the {memory_bytes} bytes that this container may use"
        hint = "lower it, or give the container more memory"
        name = "OFFLOADER_MEMORY_LIMIT"
        warnings.append(_problem(name, "memory_limit_above_machine", message, hint))
    if values["gcs_token"] and values["gcs_auth"] != "bearer":
        hint = "set OFFLOADER_GCS_AUTH=bearer, or remove the token"
        message = "the token has no effect"
        warnings.append(_problem("OFFLOADER_GCS_TOKEN", "variable_unused", message, hint))
    if values["s3_key_id"] and values["s3_auth"] == "none":
        hint = "set OFFLOADER_S3_AUTH=default, or remove the key"
        message = "the key has no effect"
        warnings.append(_problem("OFFLOADER_S3_KEY_ID", "variable_unused", message, hint))
    if values["s3_session_token"] and not values["s3_key_id"]:
        hint = "set OFFLOADER_S3_KEY_ID and OFFLOADER_S3_SECRET, or remove the session token"
        message = "a session token without its key has no effect"
        warnings.append(_problem("OFFLOADER_S3_SESSION_TOKEN", "variable_unused", message, hint))
    return tuple(sorted(warnings))


def _unknown_names(environ: Mapping[str, str]) -> list[Problem]:
    known = {v.name for v in VARIABLES if v.name.startswith(PREFIX)}
    known |= {v.name + SECRET_FILE_SUFFIX for v in VARIABLES if v.is_secret}
    # The prefix is left out: with it every name would be near to every other.
    endings = sorted(name.removeprefix(PREFIX) for name in known)
    warnings = []
    for name in environ:
        if name.startswith(PREFIX) and name not in known:
            near = get_close_matches(name[len(PREFIX) : 100], endings, n=1)
            hint = f"did you mean {PREFIX}{near[0]}?" if near else "remove it"
            message = "this variable is not known and has no effect"
            warnings.append(_problem(_shown_name(name), "unknown_variable", message, hint))
    return warnings


def _is_set(environ: Mapping[str, str], name: str) -> bool:
    return bool(environ.get(name) or environ.get(name + SECRET_FILE_SUFFIX))


def _problem(name: str, code: str, message: str, hint: str) -> Problem:
    return Problem("environment", name, code, message, hint)


def _shown(text: str) -> str:
    cut = text if len(text) <= _SHOWN_VALUE else text[: _SHOWN_VALUE - 1] + "…"
    return json.dumps(cut, ensure_ascii=not cut.isprintable())


def _shown_name(name: str) -> str:
    return name if name.isascii() and name.isprintable() and len(name) <= 100 else _shown(name)
