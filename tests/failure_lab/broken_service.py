"""The failure lab in running services: every broken snapshot at once, every broken config in turn.

What an operator sees of each is kept: the document of `/diagnostics`, and what `offloader doctor`
prints.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from offloader.cli.doctor import finding_lines
from offloader.service.doctor.finding import Finding
from tests.projects import write_yaml
from tests.service_process import ADMIN_TOKEN, OFFLOADER, Running, running

LAB = Path(__file__).parents[2] / "dev" / "examples" / "failure-lab"
_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Doctor:
    """What `offloader doctor` says: its findings, its lines for people, its exit code."""

    findings: list[dict[str, Any]]
    lines: list[str]
    exit_code: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What an operator sees: the items of the verdict, a dataset's last attempt, and doctor."""

    items: list[dict[str, Any]]
    attempt: dict[str, Any] | None
    doctor: Doctor


def see_broken_snapshots(root: Path, names: Iterable[str]) -> dict[str, Seen]:
    """Serve a dataset for each defect, all at once; return what is seen of each."""
    wanted = list(names)
    project = _write_broken_snapshots(root / "project", wanted)
    with running(project, root / "cache", until="live", refresh_interval="600") as service:
        service.wait(service.is_complete)
        service.wait(lambda: _attempted(service) == len(wanted), _SECONDS)
        told, doctor = service.diagnostics(), _doctor(service, project)
    return {name: _seen(told, doctor, dataset_of(name)) for name in wanted}


def see_broken_configs(root: Path, codes: Mapping[str, str]) -> dict[str, Seen]:
    """Serve a sound project, then each defect in its place, by name and code; return what is seen.

    The project is a link, as a mounted config is: so nothing is ever half replaced.
    """
    project, seen = root / "project", {}
    sound = _copied("too-old", root)
    without_age_guard(sound / "datasets" / "usage.yml")
    project.symlink_to(sound)
    settings = {"refresh_interval": "600", "config_sync_interval": "1"}
    with running(project, root / "cache", **settings) as service:
        service.wait(service.is_complete)  # a worker that is missing is told, too
        for name, code in codes.items():
            link = root / f"{name}.link"
            link.symlink_to(_copied(name, root))
            link.replace(project)
            service.wait(partial(_is_refused, service, code), _SECONDS)
            seen[name] = _seen(service.diagnostics(), _doctor(service, project), "")
    return seen


def dataset_of(defect: str) -> str:
    """Return the dataset that has a defect of its snapshot."""
    return defect.replace("-", "_")


def without_age_guard(path: Path) -> None:
    """Take the guard on age out of a dataset's file."""
    dataset = yaml.safe_load(path.read_text())
    del dataset["guards"]["max_age_minutes"]
    write_yaml(path, dataset)


def _copied(name: str, root: Path) -> Path:
    return Path(shutil.copytree(LAB / name, root / name))


def _write_broken_snapshots(root: Path, names: Iterable[str]) -> Path:
    """Write a project with a dataset for each defect, called as it is, with `_` for `-`.

    Nobody waits for any of them. The guard on age holds only where it is the defect: by now it
    would refuse the others, too.
    """
    (root / "endpoints").mkdir(parents=True)
    write_yaml(root / "offloader.yml", {"version": 1, "auth": "none"})
    for name in names:
        dataset = yaml.safe_load((LAB / name / "datasets" / "usage.yml").read_text())
        dataset |= {"id": dataset_of(name), "required": False}
        dataset["manifest"] = f"{name}/manifest.json"
        write_yaml(root / "datasets" / f"{name}.yml", dataset)
        if name != "too-old":
            without_age_guard(root / "datasets" / f"{name}.yml")
        shutil.copytree(LAB / name / "snapshot", root / name)
        path = root / name / "manifest.json"
        manifest = json.loads(path.read_text())
        path.write_text(json.dumps({**manifest, "dataset_id": dataset_of(name)}))
    return root


def _attempted(service: Running) -> int:
    attempts = (one.get("last_attempt") for one in service.diagnostics()["datasets"].values())
    return sum(1 for attempt in attempts if attempt and attempt["code"])


def _is_refused(service: Running, code: str) -> bool:
    problems = service.diagnostics()["config_sync"]["problems"]
    return [one["code"] for one in problems] == [code]


def _seen(told: Mapping[str, Any], doctor: Doctor, dataset: str) -> Seen:
    items = [one for one in told["verdict"]["items"] if (one["dataset"] or "") == dataset]
    attempt = told["datasets"][dataset]["last_attempt"] if dataset else None
    return Seen(items, attempt, doctor)


def _doctor(service: Running, project: Path) -> Doctor:
    outer = {name: text for name, text in os.environ.items() if not name.startswith("OFFLOADER_")}
    environ = {
        **outer,
        "OFFLOADER_CONFIG": str(project),
        "OFFLOADER_CACHE_DIR": str(project.parent / "cache"),
        "OFFLOADER_ADMIN_TOKEN": ADMIN_TOKEN,
        "OFFLOADER_API_PORT": "0",
        "OFFLOADER_ADMIN_PORT": "0",
    }
    done = subprocess.run(
        [OFFLOADER, "doctor", "--json", "--admin-url", service.admin_url],
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    findings = json.loads(done.stdout)["findings"]
    lines = list(finding_lines(Finding(**one) for one in findings))
    return Doctor(findings, lines, done.returncode)
