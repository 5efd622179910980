"""All checks of `offloader doctor`, in order: what one finds out the next ones use."""

from __future__ import annotations

import os
import resource
import time
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from offloader.cli.admin_client import AdminClient, client_without_token, url_of
from offloader.cli.opened_project import open_project
from offloader.cli.serve import MAIN_BYTES, WORKER_BYTES
from offloader.cli.told import told_by
from offloader.cli.wording import plural
from offloader.errors import ConfigError, OffloaderError, SourceUnavailable
from offloader.service.cache import Cache
from offloader.service.doctor.clock import check_clock
from offloader.service.doctor.finding import Check, Finding
from offloader.service.doctor.instance import Told, check_instance
from offloader.service.doctor.machine import Machine, check_kernel, check_machine
from offloader.service.doctor.packages import check_packages, installed
from offloader.service.doctor.ports import check_port
from offloader.service.doctor.sharing import check_segment_store
from offloader.service.doctor.upstream import Look, look_at_sources
from offloader.service.doctor.volume import check_volume
from offloader.service.doctor.within import run_within
from offloader.service.known_secrets import known_secrets
from offloader.service.project import Project
from offloader.service.redaction import Redactor
from offloader.settings.resources import cpu_count, memory_available, memory_bytes
from offloader.settings.settings import Settings, read_settings
from offloader.stores.access import Access
from offloader.stores.open import Stores
from offloader.stores.patient import Patience

_PROBE_PATIENCE = Patience(attempts=2, most_seconds=1.0, deadline_seconds=5.0)
_ROOT = Path("/")


@dataclass(frozen=True, slots=True)
class _Here:
    """What this container may use."""

    cpus: int
    memory_bytes: int


def examine(args: Namespace, environ: Mapping[str, str]) -> list[Finding]:
    """Return every finding, in the order of the checks; no secret is in any of them."""
    project = None
    here, found = _here()
    settings, more = _settings(environ, here)
    found += more
    location = environ.get("OFFLOADER_CONFIG")
    if location:
        project, more = _project(location, environ, args.deadline)
        found += more
    found += check_packages(installed())
    told, more = _instance(args, environ, project)
    found += [*more, *check_kernel()]
    if settings is not None:
        found += _environment(settings, here, args, told)
        if project is not None:
            found += _upstream(project, settings, args.deadline)
    documents = project.documents if project is not None else {}
    redactor = known_secrets(environ, documents).redactor()
    return [_redacted(one, redactor) for one in _without_repeats(found)]


def _here() -> tuple[_Here, list[Finding]]:
    cpus = cpu_count(_ROOT, len(os.sched_getaffinity(0)))
    try:
        return _Here(cpus, memory_bytes(_ROOT)), []
    except OffloaderError as error:
        return _Here(cpus, 0), [Check("environment", "memory").of_error(error)]


def _settings(environ: Mapping[str, str], here: _Here) -> tuple[Settings | None, list[Finding]]:
    check = Check("us", "settings")
    try:
        settings, warnings = read_settings(
            environ, is_terminal=False, cpus=here.cpus, memory_bytes=here.memory_bytes
        )
    except ConfigError as error:
        return None, check.of_problems(error.problems, "failed")
    if warnings:
        return settings, check.of_problems(warnings, "warning")
    count = sum(name.startswith("OFFLOADER_") for name in environ)
    return settings, [check.ok(f"{plural(count, 'variable')} of ours, all good")]


def _project(
    location: str, environ: Mapping[str, str], seconds: float
) -> tuple[Project | None, list[Finding]]:
    look = {location: partial(open_project, location, environ)}
    project = run_within(look, seconds, 1)[location]
    check = Check("us", "project", location)
    if isinstance(project, Project):
        catalog = project.catalog
        counts = f"{plural(len(catalog.datasets), 'dataset')}"
        counts += f", {plural(len(catalog.endpoints), 'endpoint')}"
        return project, [check.ok(f"valid: {counts}")]
    if isinstance(project, ConfigError):
        is_away = isinstance(project.__cause__, SourceUnavailable)
        check = replace(check, heading="environment") if is_away else check
        return None, check.of_problems(project.problems, "failed")
    if isinstance(project, OffloaderError):
        return None, [check.of_error(project)]
    return None, [_unfinished(replace(check, heading="environment"), project, seconds)]


def _instance(
    args: Namespace, environ: Mapping[str, str], project: Project | None
) -> tuple[Told | None, list[Finding]]:
    check = Check("us", "instance", url_of(args, environ))
    try:
        told = told_by(client_without_token(args, environ))
    except OffloaderError as error:
        if error.code == "instance_unreachable" and args.admin_url is None:
            return None, [check.ok("none answers; the rest was looked at without one")]
        return None, [check.of_error(error)]
    revision = project.catalog.revision if project is not None else None
    return told, check_instance(told, revision)


def _environment(
    settings: Settings, here: _Here, args: Namespace, told: Told | None
) -> Iterator[Finding]:
    yield from check_machine(
        Machine(
            cpus=here.cpus,
            workers=settings.workers,
            memory_bytes=here.memory_bytes,
            available_bytes=memory_available(_ROOT),
            limit_bytes=settings.memory_limit_bytes,
            processes_bytes=MAIN_BYTES + settings.workers * WORKER_BYTES,
            descriptors=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        )
    )
    yield _port("API", settings.api_host, settings.api_port, "/healthz", told)
    yield _port("ADMIN", settings.admin_host, settings.admin_port, "/live", told)
    yield from _slow_checks(settings, args)


def _port(name: str, host: str, port: int, route: str, told: Told | None) -> Finding:
    is_ours = False
    if told is not None and port:
        target = "127.0.0.1" if host in ("0.0.0.0", "::") else host
        url = f"http://[{target}]:{port}" if ":" in target else f"http://{target}:{port}"
        is_ours = _answers(AdminClient(url, ""), route)
    return check_port(f"OFFLOADER_{name}_PORT", host, port, is_ours=is_ours)


def _answers(client: AdminClient, route: str) -> bool:
    try:
        return client.ask(route, 2.0)[0] in (200, 503)
    except OffloaderError:
        return False


def _slow_checks(settings: Settings, args: Namespace) -> Iterator[Finding]:
    """Check what may hang: the volume and the segment store."""
    volume = Check("environment", "cache volume", str(settings.cache_dir))
    looks: dict[Check, Callable[[], list[Finding]]] = {
        volume: partial(check_volume, Cache(settings.cache_dir))
    }
    if settings.segment_store is not None:
        stores = Stores(Access.of(settings), _PROBE_PATIENCE)
        store = Check("environment", "segment store")
        looks[store] = partial(
            check_segment_store, settings.segment_store, stores, write_probe=args.write_probe
        )
    for check, seen in run_within(looks, args.deadline, len(looks)).items():
        if isinstance(seen, list):
            yield from seen
        else:
            yield _unfinished(check, seen, args.deadline)


def _upstream(project: Project, settings: Settings, seconds: float) -> Iterator[Finding]:
    looks: dict[str, Look] = look_at_sources(project, Access.of(settings), time.time, seconds)
    told_at = {name: at for look in looks.values() for name, at in look.told_at.items()}
    yield check_clock(time.time(), told_at)
    for look in looks.values():
        yield from look.findings


def _unfinished(check: Check, seen: object, seconds: float) -> Finding:
    """Return what is said of a look that hung, or broke as nobody foresaw."""
    if seen is None:
        hint = "see whether its disk, mount or network hangs"
        return check.fail("source_slow", f"no answer within {seconds:g} seconds", hint)
    return check.fail("internal", f"{type(seen).__name__} while it was looked at", "report it")


def _without_repeats(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield what was not found before: the instance says the same of a project or of a source."""
    said: set[tuple[str, str]] = set()
    for one in findings:
        if one.verdict == "ok":
            yield one
            continue
        marks = {(one.hint, one.message)} | ({(one.hint, one.subject)} if one.subject else set())
        is_other = one.check not in ("instance", "source")
        if is_other or not marks & said:
            yield one
        said |= marks


def _redacted(finding: Finding, redactor: Redactor) -> Finding:
    return replace(
        finding,
        subject=redactor.text(finding.subject),
        message=redactor.text(finding.message, keep_hashes=True),
        hint=redactor.text(finding.hint),
    )
