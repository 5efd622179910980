"""docs/deployment.md: what it says of the container is so, and what it shows works."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from offloader import __version__
from offloader.settings.settings import read_settings
from offloader.settings.variables import SECRET_FILE_SUFFIX, VARIABLES
from tests.docs.markdown import ROOT, blocks, links
from tests.examples.scripts import load_script
from tests.projects import UsageProject, usage_project
from tests.service_process import ADMIN_TOKEN, OFFLOADER, running

PAGE = ROOT / "docs" / "deployment.md"
TEXT = PAGE.read_text(encoding="utf-8")
GATE = "dev/scripts/deploy-check.sh"
EXAMPLE = ROOT / "dev" / "examples" / "customer-analytics"
ENVIRONMENTS = [block.text for block in blocks(PAGE) if block.text.startswith("OFFLOADER_CONFIG=")]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> UsageProject:
    return usage_project(tmp_path_factory.mktemp("deployment") / "project", rows=300)


def test_every_example_has_a_row() -> None:
    """The table of examples is the folders of infra/, each by its README."""
    shown = {Path(link).parts[2] for link in links(PAGE) if link.startswith("../infra/")}
    assert shown == {path.name for path in (ROOT / "infra").iterdir() if path.is_dir()}
    named = re.findall(r"^\| \[([a-z-]+)\]\(\.\./infra/([a-z-]+)/README\.md\) \|", TEXT, re.M)
    assert [name for name, folder in named if name != folder] == []
    assert {name for name, _ in named} == shown


@pytest.mark.parametrize("page", ["deployment.md", "operator.md", "security-model.md"])
def test_every_variable_exists(page: str) -> None:
    """Each that a page names is one of the service's, or its secret as a file."""
    known = {variable.name for variable in VARIABLES}
    known |= {v.name + SECRET_FILE_SUFFIX for v in VARIABLES if v.is_secret}
    named = set(re.findall(r"OFFLOADER_[A-Z0-9_]+", (PAGE.parent / page).read_text("utf-8")))
    assert named - known == set()
    assert named


@pytest.mark.parametrize("text", ENVIRONMENTS)
def test_a_shown_environment_is_accepted(text: str, tmp_path: Path) -> None:
    """As it stands, but for where the token lies: no problem and no warning."""
    assert len(ENVIRONMENTS) == 2
    environ = dict(line.split("=", 1) for line in text.splitlines())
    token = tmp_path / "admin_token"
    token.write_text("t\n")
    environ["OFFLOADER_ADMIN_TOKEN_FILE"] = str(token)
    settings, warnings = read_settings(environ, is_terminal=False, cpus=2, memory_bytes=1 << 32)
    assert warnings == ()
    assert (settings.config_sync_interval_seconds, settings.admin_token) == (30, "t")


def test_the_image_is_of_this_version() -> None:
    """Wherever the page names it."""
    found = re.findall(r"ghcr\.io/offloader/offloader:?([^`\s]*)", TEXT)
    assert len(found) == 2
    assert set(found) == {__version__}


def test_defaults_are_those_of_the_settings() -> None:
    """Ports and the seconds of a stop; the grace period is above both together."""
    settings, _ = read_settings(
        {"OFFLOADER_CONFIG": "/project"}, is_terminal=False, cpus=2, memory_bytes=1 << 32
    )
    for name, value in (
        ("OFFLOADER_DRAIN_SECONDS", settings.drain_seconds),
        ("OFFLOADER_SHUTDOWN_SECONDS", settings.shutdown_seconds),
    ):
        assert f"`{name}` ({value:g})" in TEXT
    for port, name in ((settings.api_port, "API"), (settings.admin_port, "ADMIN")):
        assert f"| {port} | `OFFLOADER_{name}_PORT` |" in TEXT
    (grace,) = re.findall(r"kills: (\d+) s with the defaults", TEXT)
    assert int(grace) >= settings.drain_seconds + settings.shutdown_seconds + 5


def test_files_and_exit_codes(project: UsageProject, tmp_path: Path) -> None:
    """What a service leaves on its volume stands in the table; asked to stop it exits with 0."""
    with running(project.root, tmp_path / "cache") as service:
        service.wait(service.is_complete)
        cells = re.findall(r"^\| ((?:`[a-z.]+/?`(?:, )?)+) \|", TEXT, re.MULTILINE)
        listed = {name.rstrip("/") for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
        assert {path.name for path in (tmp_path / "cache").iterdir()} - listed == set()
        assert service.end() == 0
    refused = subprocess.run(
        [OFFLOADER, "serve"],
        env={**_plain(), "OFFLOADER_WORKERS": "none"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2
    codes = re.findall(r"^\| ([\d, ]+) \| (.+?) \|", TEXT.partition("### Exit codes")[2], re.M)
    assert [code for code, _ in codes] == ["0", "1", "2", "130, 143", "137"]


def test_a_project_is_checked_as_shown(project: UsageProject) -> None:
    """The command of the page, in the folder above the project."""
    command = next(b.text for b in blocks(PAGE) if b.text.startswith("offloader validate"))
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=project.root.parent,
        env={**_plain(), "PATH": f"{Path(OFFLOADER).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done


def test_a_rollout_is_verified_as_shown(tmp_path: Path) -> None:
    """The gate lets an instance of the bundled example in, by the page's own command."""
    example = _example(tmp_path / "project")
    command = next(block.text for block in blocks(PAGE) if GATE in block.text)
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "admin_token").write_text(ADMIN_TOKEN)
    (secrets / "key").write_text("demo-acme")
    with running(example, tmp_path / "cache") as service:
        command = command.replace("http://127.0.0.1:4000", service.api_url)
        command = command.replace("http://127.0.0.1:4001", service.admin_url)
        done = subprocess.run(
            ["bash", "-euc", command.replace(GATE, str(ROOT / GATE))],
            cwd=tmp_path,
            env=_plain(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done
    assert ADMIN_TOKEN not in done.stdout + done.stderr


def test_every_command_is_run_or_an_environment() -> None:
    """No shell block of the page is left that the tests above do not take."""
    shell = [block.text for block in blocks(PAGE) if block.language == "sh"]
    others = [text for text in shell if text not in ENVIRONMENTS]
    assert [text for text in others if GATE not in text] == ["offloader validate project\n"]
    assert {b.language for b in blocks(PAGE)} == {"sh", "dockerfile"}


def _example(root: Path) -> Path:
    """Copy the bundled example with little data of its own."""
    for folder in ("datasets", "endpoints", "keys"):
        (root / folder).mkdir(parents=True)
    for path in [EXAMPLE / "offloader.yml", *EXAMPLE.glob("*/*.yml")]:
        (root / path.relative_to(EXAMPLE)).write_bytes(path.read_bytes())
    load_script("customer-analytics", "generate").publish(root / "data", rows=2000)
    return root


def _plain() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if "OFFLOADER" not in name}
