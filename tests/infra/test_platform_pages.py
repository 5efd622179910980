"""The pages of the platforms: their commands are sound, and agree with the examples beside them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hcl2
import pytest
from hcl2 import SerializationOptions

from offloader import __version__
from tests.docs.markdown import ROOT, blocks

INFRA = ROOT / "infra"
PAGES = [INFRA / name / "README.md" for name in ("nomad", "ecs", "systemd")]
PAGES.append(ROOT / "docs" / "release.md")
TASK = "task-definition.json"
_PLAIN = SerializationOptions(with_comments=False, explicit_blocks=False, strip_string_quotes=True)


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_commands_are_sound(page: Path, need: Callable[[str], None]) -> None:
    """Every shell block passes shellcheck, as one that is pasted into bash."""
    need("" if shutil.which("shellcheck") else "there is no shellcheck: install it")
    shell = "\n".join(_shell(page))
    assert shell
    # Blocks lean on each other, and a paste goes on after a `cd` that fails.
    done = subprocess.run(
        ["shellcheck", "--shell=bash", "--exclude=SC2164,SC2086", "-"],
        input=shell,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_nomads_clients_have_what_the_job_asks_for() -> None:
    """The page's client has each network and volume of the job, and waits as long for a stop."""
    job = (INFRA / "nomad" / "offloader.nomad.hcl").read_text(encoding="utf-8")
    page = INFRA / "nomad" / "README.md"
    (text,) = [block.text for block in blocks(page) if block.language == "hcl"]
    document: Any = hcl2.loads(text, serialization_options=_PLAIN)
    (client,) = document["client"]
    named = set(re.findall(r'source += "([a-z-]+)"', job))
    assert {name for one in client["host_volume"] for name in one} == named
    networks = set(re.findall(r'host_network = "([a-z]+)"', job))
    assert {name for one in client["host_network"] for name in one} == networks
    (wait,) = re.findall(r'kill_timeout = "(\d+)s"', job)
    assert int(client["max_kill_timeout"].removesuffix("s")) >= int(wait)


def test_nomads_state_belongs_to_the_service() -> None:
    """The folder of the state is made for the user that the job runs."""
    job = (INFRA / "nomad" / "offloader.nomad.hcl").read_text(encoding="utf-8")
    (made,) = re.findall(r"^install -d -o (\d+) -g (\d+)", _page("nomad"), re.MULTILINE)
    assert f'"{made[0]}:{made[1]}"' in job


def test_ecs_placeholders_are_all_named() -> None:
    """What a customer has to replace in the two files is what the page lists."""
    texts = [(INFRA / "ecs" / name).read_text("utf-8") for name in ("service.json", TASK)]
    for placeholder in ("111122223333", "eu-central-1", "example-offloader", "ARM64"):
        assert any(placeholder in text for text in texts), placeholder
        assert f"`{placeholder}`" in _page("ecs"), placeholder
    task = json.loads(texts[1])
    for role in (task["executionRoleArn"], task["taskRoleArn"]):
        assert f"`{role.rpartition('/')[2]}`" in _page("ecs")


def test_systemd_is_installed_where_the_unit_looks() -> None:
    """The page makes the venv, the project and the token where the unit has them."""
    unit = (INFRA / "systemd" / "offloader.service").read_text(encoding="utf-8")
    shell = "\n".join(_shell(INFRA / "systemd" / "README.md"))
    for place in ("/opt/offloader", "/etc/offloader/project", "/etc/offloader/admin_token"):
        assert place in unit
        assert place in shell
    assert f"VERSION={__version__}\n" in shell


def _page(name: str) -> str:
    return (INFRA / name / "README.md").read_text(encoding="utf-8")


def _shell(page: Path) -> list[str]:
    return [block.text for block in blocks(page) if block.language == "sh"]
