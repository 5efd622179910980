"""The config as it may be shown: documents without keys' hashes and tenants, settings, problems."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from offloader.errors import ConfigError, Problem
from offloader.service.bundle.archive import Entry, entry_of
from offloader.settings.settings import PREFIX
from offloader.settings.variables import SECRET_FILE_SUFFIX, VARIABLES, Variable

# What other software reads; their values may be secrets, so only their names are told.
_OTHERS = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"),
    *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ROLE_ARN"),
    *("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
    *("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "MALLOC_ARENA_MAX"),
)


def config_entry(documents: Mapping[str, Any], revision: str) -> Entry:
    """Return the project's documents; of each key what it may call, and nothing that names it."""
    shown = {**documents, "keys": _keys(documents.get("keys")), "revision": revision}
    return entry_of("config/project.json", shown, "the project's files, keys without their hashes")


def problems_entry(error: ConfigError, names: Iterable[str]) -> Entry:
    """Return what is wrong with a project that cannot be served; `names` are its files'."""
    shown = [one.as_dict() for one in error.problems]
    document = {"problems": shown, "files": sorted(names)}
    about = "what is wrong with the project: it cannot be served"
    return entry_of("config/problems.json", document, about)


def settings_entry(environ: Mapping[str, str], problems: Iterable[Problem]) -> Entry:
    """Return each variable; of a secret only whether it is set, of a refused value that it is."""
    found = tuple(problems)
    refused = {one.path for one in found if one.code != "unknown_variable"}
    known = {variable.name for variable in VARIABLES}
    known |= {name + SECRET_FILE_SUFFIX for name in known}
    unknown = sorted(name for name in environ if name.startswith(PREFIX) and name not in known)
    document = {
        "variables": {one.name: _shown(one, environ, refused) for one in VARIABLES},
        "problems": [{"variable": p.path, "code": p.code, "hint": p.hint} for p in found],
        "unknown": unknown,
        "of_other_software": {name: _is_set(environ, name) for name in _OTHERS},
    }
    about = "the environment; of secrets only whether they are set"
    return entry_of("environment/settings.json", document, about)


def _shown(variable: Variable, environ: Mapping[str, str], refused: set[str]) -> str:
    text, file_name = environ.get(variable.name, ""), variable.name + SECRET_FILE_SUFFIX
    if variable.is_secret:
        is_given = bool(text or environ.get(file_name))
        return "set" if is_given else "unset"
    if not text:
        return f"unset ({variable.default_text})"
    return "set, and refused" if variable.name in refused else text


def _is_set(environ: Mapping[str, str], name: str) -> str:
    return "set" if environ.get(name) else "unset"


def _keys(document: Any) -> list[dict[str, Any]] | None:
    if not isinstance(document, dict):
        return None
    return [_key(number, key) for number, key in enumerate(_listed(document), 1)]


def _listed(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from (key for key in document.get("keys") or () if isinstance(key, dict))


def _key(number: int, key: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "number": number,
        "has_tenant": key.get("tenant") is not None,
        "endpoints": key.get("endpoints"),
        "status": key.get("status"),
        "expires_at": key.get("expires_at"),
    }
