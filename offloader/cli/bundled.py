"""Collect what goes into a support bundle; what cannot be had is named in it instead."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from offloader import __version__
from offloader.cli.admin_client import AdminClient, answered, client_without_token
from offloader.cli.doctor import finding_lines
from offloader.cli.examination import examine
from offloader.cli.opened_project import open_project
from offloader.errors import ConfigError, OffloaderError, Problem
from offloader.service.bundle.archive import Entry, entry_of, pack
from offloader.service.bundle.cache import cache_entries
from offloader.service.bundle.config import config_entry, problems_entry, settings_entry
from offloader.service.bundle.machine import machine_entry, versions_entry
from offloader.service.cache import Cache
from offloader.service.known_secrets import Secrets, known_secrets
from offloader.service.project import Project
from offloader.service.redacted_log import redacted_lines
from offloader.service.redaction import Redactor, named_secrets
from offloader.settings.settings import read_settings
from offloader.settings.variables import VARIABLES

MOST_LOG_BYTES = 8 << 20
MOST_TEXT_BYTES = 1 << 20
MOST_PROJECT_FILES = 1_000
_ROUTES = ("/ready", "/status", "/diagnostics")
_ASK_SECONDS = 10.0
_CACHE_DIR = next(one for one in VARIABLES if one.name == "OFFLOADER_CACHE_DIR")


def bundled(args: Namespace, environ: Mapping[str, str], now: float) -> tuple[bytes, list[str]]:
    """Return the bytes of the bundle and the paths in it; `now` is seconds since the epoch.

    Raises OffloaderError `log_unreadable` for a log that was named.
    """
    logs = [(name, _read_log(name, MOST_LOG_BYTES)) for name in args.log]
    location = environ.get("OFFLOADER_CONFIG") or "."
    project, refused = _project(location, environ)
    secrets = _secrets(args, environ, project, location)
    redactor = secrets.redactor()
    cache_dir = Path(environ.get(_CACHE_DIR.name) or str(_CACHE_DIR.default))
    sources: list[tuple[str, Callable[[], Iterable[Entry]]]] = [
        ("doctor.txt", partial(_doctor, args, environ)),
        ("versions.json", lambda: [versions_entry()]),
        ("environment/", partial(_environment, environ, cache_dir)),
        ("config/", partial(_config, project, refused, location)),
        ("instance/", partial(_instance, args, environ)),
        ("cache/", partial(cache_entries, Cache(cache_dir))),
        ("logs/", partial(_logs, logs, redactor, project, args.since)),
    ]
    made_at = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    facts = {"version": __version__, "made_at": made_at}
    return pack(_entries(sources), redactor, made_at=now, facts=facts)


def _entries(sources: Iterable[tuple[str, Callable[[], Iterable[Entry]]]]) -> Iterator[Entry]:
    """Yield what can be had, and at the end what could not, and why."""
    missing = {}
    for name, collect in sources:
        try:
            yield from collect()
        except Exception as error:  # whatever is broken: the rest is needed all the more
            text = error.message if isinstance(error, OffloaderError) else ""
            missing[name] = f"{type(error).__name__} {text}".strip()
    if missing:
        yield entry_of("missing.json", missing, "what could not be had, and why")


def _project(
    location: str, environ: Mapping[str, str]
) -> tuple[Project | None, ConfigError | None]:
    try:
        return open_project(location, environ), None
    except ConfigError as error:
        return None, error
    except OffloaderError as error:
        problem = Problem("offloader.yml", "", error.code, error.message, error.hint)
        return None, ConfigError([problem])


def _secrets(
    args: Namespace, environ: Mapping[str, str], project: Project | None, location: str
) -> Secrets:
    """Return what is secret here; of a project that is broken what its files look like."""
    files = [args.token_file] if args.token_file else []
    if project is not None:
        return known_secrets(environ, project.documents, files)
    known = known_secrets(environ, {}, files)
    texts = [_text(path) for path in _project_files(location)]
    hashes, tenants = named_secrets(texts, ["hash"]), named_secrets(texts, ["tenant"])
    return Secrets(known.texts | hashes, known.names | tenants)


def _project_files(location: str) -> list[Path]:
    if "://" in location:
        return []
    folder = Path(location) if Path(location).is_dir() else Path(location).parent
    found = (path for path in folder.rglob("*.y*ml") if path.is_file())
    return [path for path, _ in zip(found, range(MOST_PROJECT_FILES), strict=False)]


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MOST_TEXT_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _doctor(args: Namespace, environ: Mapping[str, str]) -> Iterator[Entry]:
    findings = examine(args, environ)
    text = "".join(f"{line}\n" for line in finding_lines(findings))
    yield Entry("doctor.txt", text, "is it us, our environment, or upstream: begin here")
    document = [one.as_dict() for one in findings]
    yield entry_of("doctor.json", document, "the same for programs")


def _environment(environ: Mapping[str, str], cache_dir: Path) -> Iterator[Entry]:
    problems: tuple[Problem, ...]
    try:
        _, problems = read_settings(environ, is_terminal=False, cpus=1, memory_bytes=1 << 62)
    except ConfigError as error:
        problems = error.problems
    yield settings_entry(environ, problems)
    yield machine_entry(Path("/"), cache_dir)


def _config(project: Project | None, refused: ConfigError | None, location: str) -> Iterator[Entry]:
    if project is not None:
        yield config_entry(project.documents, project.catalog.revision)
    elif refused is not None:
        yield problems_entry(refused, [path.name for path in _project_files(location)])


def _instance(args: Namespace, environ: Mapping[str, str]) -> Iterator[Entry]:
    client = client_without_token(args, environ)
    for route in _ROUTES:
        name = route.removeprefix("/")
        about = f"what {route} answered"
        yield entry_of(f"instance/{name}.json", _answer(client, route), about)
    status, raw = client.ask("/metrics", _ASK_SECONDS)
    text = raw.decode("utf-8", "replace") if status == 200 else f"status {status}\n"
    yield Entry("instance/metrics.txt", text, "what /metrics answered")


def _answer(client: AdminClient, route: str) -> dict[str, Any]:
    status, raw = client.ask(route, _ASK_SECONDS)
    return {"status": status, "document": answered(raw)}


def _logs(
    logs: Iterable[tuple[str, list[str]]],
    redactor: Redactor,
    project: Project | None,
    since: float | None,
) -> Iterator[Entry]:
    endpoints = project.catalog.endpoints.values() if project is not None else ()
    params = {param.name for endpoint in endpoints for param in endpoint.params}
    for number, (_, lines) in enumerate(logs, 1):
        text = "".join(f"{line}\n" for line in redacted_lines(lines, redactor, params, since))
        yield Entry(f"logs/{number}.log", text, "the log that was named, its last 8 MiB, redacted")


def _read_log(name: str, most_bytes: int) -> list[str]:
    """Return the last lines of a log, at most so many bytes of it; raises OffloaderError."""
    try:
        if name == "-":
            raw = sys.stdin.buffer.read()[-most_bytes:]
        else:
            with Path(name).open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - most_bytes))
                raw = file.read(most_bytes)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no file"
        hint = "name a file that can be read with --log, or leave it out"
        raise OffloaderError("log_unreadable", f"{name} cannot be read: {reason}", hint) from error
    lines = raw.decode("utf-8", "replace").splitlines()
    return lines[1:] if len(raw) == most_bytes else lines  # the first is half a line
