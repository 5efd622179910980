"""Every example of infra that runs the service grants it what it needs, and nothing else."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from offloader.settings.variables import SECRET_FILE_SUFFIX, VARIABLES
from tests.docs.markdown import ROOT
from tests.infra.granted_by_engines import compose_service, run_script
from tests.infra.granted_by_platforms import ecs, kubernetes, nomad, systemd
from tests.infra.hardening import EXCEPTIONS, REPOSITORY, RULES, Granted, broken
from tests.infra.hardening_faults import FAULTS, Fault

INFRA = ROOT / "infra"
OVERLAYS = sorted(path.parent for path in INFRA.glob("kubernetes/overlays/*/kustomization.yml"))
_KNOWN = {variable.name for variable in VARIABLES}
_KNOWN |= {variable.name + SECRET_FILE_SUFFIX for variable in VARIABLES if variable.is_secret}
_LATEST = re.compile(r"[\w./-]+:latest\b|\blatest\b.*\bimage\b", re.IGNORECASE)
_IMAGE_LINE = re.compile(r"^\s*-?\s*\"?image\"?\s*[:=]\s*\"?([^\s\",]+)", re.MULTILINE)

_FILES: dict[str, Callable[[Path, str], Granted]] = {
    "compose/compose.yml": compose_service,
    "nomad/offloader.nomad.hcl": nomad,
    "ecs/task-definition.json": ecs,
    "systemd/offloader.service": systemd,
}
_FOLDERS = [str(folder.relative_to(INFRA)) for folder in OVERLAYS]
SCRIPT = "docker-run/run.sh"
PLACES = [*_FILES, *_FOLDERS, SCRIPT]
# Read through the overlays that stand on it.
_BASE = "kubernetes/base/deployment.yml"


@pytest.fixture
def granted(request: pytest.FixtureRequest, tmp_path: Path) -> Granted:
    return read(request.param, tmp_path)


def read(place: str, folder: Path, root: Path = INFRA) -> Granted:
    """Read one example below `root`; `folder` is for what its reader has to run."""
    if place == SCRIPT:
        return run_script(root / place, place, folder)
    return _FILES.get(place, kubernetes)(root / place, place)


@pytest.mark.parametrize("granted", PLACES, indirect=True)
def test_every_rule_is_kept(granted: Granted) -> None:
    """Hardened, of this version, its state kept, its secret apart; exceptions say why."""
    excepted = {rule for place, rule in EXCEPTIONS if place == granted.place}
    assert broken(granted) == excepted


@pytest.mark.parametrize("granted", PLACES, indirect=True)
def test_every_variable_exists(granted: Granted) -> None:
    """Each variable that is set is one of the service's; others are Python's own."""
    names = {*granted.environ, *granted.secrets}
    assert {name for name in names if name.startswith("OFFLOADER_")} <= _KNOWN
    assert {name for name in names - _KNOWN if not name.startswith("PYTHON")} == set()


def test_no_example_is_left_out() -> None:
    """Each file of infra that names the image, pages apart, is one that is read here."""
    naming = {str(path.relative_to(INFRA)) for path, text in _texts() if REPOSITORY in text}
    assert naming == {*_FILES, SCRIPT, _BASE} - {"systemd/offloader.service"}
    assert len(_FOLDERS) > 0


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{one.file}: {one.rule}" for one in FAULTS])
def test_what_is_granted_too_much_is_found(fault: Fault, tmp_path: Path) -> None:
    """One line of an example that is wrong breaks the one rule, in every example on that file."""
    root = Path(shutil.copytree(INFRA, tmp_path / "infra"))
    text = (root / fault.file).read_text(encoding="utf-8")
    assert text.count(fault.line) == 1
    (root / fault.file).write_text(text.replace(fault.line, fault.wrong), encoding="utf-8")
    excepted = {rule for place, rule in EXCEPTIONS if place == fault.place}
    assert broken(read(fault.place, tmp_path, root)) == excepted | {fault.rule}


def test_each_rule_is_broken_somewhere() -> None:
    """There is a fault for each rule, and for each kind of example."""
    assert {fault.rule for fault in FAULTS} == RULES.keys()
    assert {fault.place for fault in FAULTS} >= {*_FILES, SCRIPT}


def test_every_image_has_a_version() -> None:
    """No file of infra names an image as latest, or without a version."""
    for path, text in _texts():
        assert not _LATEST.search(text), path
        for image in _IMAGE_LINE.findall(text):
            assert re.search(r":v?\d+\.\d+\.\d+\}?$", image), (path, image)


def _texts() -> Iterator[tuple[Path, str]]:
    for path in sorted(INFRA.rglob("*")):
        if path.is_file() and path.suffix != ".md":
            yield path, path.read_text(encoding="utf-8")
