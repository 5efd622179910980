"""A running instance, by what its admin port says. Pure: the documents come in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from offloader import __version__
from offloader.service.doctor.finding import Check, Finding, Verdict, heading_of

Document = Mapping[str, Any]

_VERDICTS: Mapping[str, Verdict] = {"failing": "failed", "warning": "warning", "note": "ok"}
_LIVE = Check("us", "instance")


@dataclass(frozen=True, slots=True)
class Told:
    """What the routes of one instance said; `diagnostics` is None without the right token.

    `refusal` says why, as (code, message, hint).
    """

    url: str
    ready: Document
    status: Document
    diagnostics: Document | None = None
    refusal: tuple[str, str, str] | None = None


def check_instance(told: Told, local_revision: str | None) -> list[Finding]:
    """Return what is wrong with an instance; `local_revision` is the project's, as it lies here."""
    found = [*_readiness(told), *_version(told), *_revision(told, local_revision)]
    if told.diagnostics is None:
        code, message, hint = told.refusal or ("unauthorized", "no diagnostics", "")
        return [*found, _LIVE.warn(code, f"{message}: its insides were not looked at", hint)]
    return [*found, *_troubles(told.diagnostics), *_datasets(told.diagnostics)]


def _readiness(told: Told) -> Iterator[Finding]:
    check = Check("us", "ready", told.url)
    if told.ready.get("ready"):
        yield check.ok("it answers and is ready")
        return
    for reason in told.ready.get("reasons") or ["it gives no reason"]:
        hint = "see what this page says of that dataset; the first build may still be under way"
        if "dataset" not in reason:
            hint = "wait a few seconds; if it stays, see `processes` in /diagnostics and the log"
        yield check.fail("not_ready", str(reason), hint)


def _version(told: Told) -> Iterator[Finding]:
    running = told.status.get("version")
    if running != __version__:
        message = f"it runs version {running}, this command is {__version__}"
        hint = "run the command in the container of the instance"
        yield _LIVE.warn("version_differs", message, hint)


def _revision(told: Told, local_revision: str | None) -> Iterator[Finding]:
    served = told.status.get("config_revision")
    if local_revision is None or served is None:
        return
    check = Check("us", "config revision", local_revision)
    if served == local_revision:
        yield check.ok("the instance serves the project as it lies here")
        return
    hint = (
        "a dataset may wait for its build, or OFFLOADER_CONFIG_SYNC_INTERVAL is off: send SIGHUP;"
        " see `config_sync` in /diagnostics"
    )
    yield check.warn("config_differs", f"the instance serves {served}", hint)


def _troubles(diagnostics: Document) -> Iterator[Finding]:
    """Return what the instance itself says is wrong, and what is as somebody wished."""
    for item in _items(diagnostics):
        subject = str(item.get("dataset") or "")
        words = {name: str(item.get(name) or "") for name in ("code", "message", "hint", "runbook")}
        verdict = _VERDICTS.get(str(item.get("severity")), "warning")
        check = "dataset" if subject else "instance"
        yield Finding(heading_of(item.get("area", "none")), check, subject, verdict, **words)


def _datasets(diagnostics: Document) -> Iterator[Finding]:
    """Return the datasets of which there is nothing to say."""
    told = {item.get("dataset") for item in _items(diagnostics)}
    for name, dataset in diagnostics["datasets"].items():
        if name not in told:
            text = f"{dataset.get('state')}: {dataset.get('snapshot_id') or 'nothing yet'}"
            yield Check("upstream", "dataset", name).ok(text)


def _items(diagnostics: Document) -> list[Document]:
    verdict = diagnostics.get("verdict") or {}
    return list(verdict.get("items", ()))
