"""The example with docker run: what its script asks of the engine, and what comes of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from offloader import __version__
from tests.container.engine import Engine
from tests.infra.compose_stack import INFRA, PATIENCE_SECONDS
from tests.infra.granted_by_engines import asked_of_the_engine
from tests.infra.single_container import Single, single

FOLDER = INFRA / "docker-run"
README = (FOLDER / "README.md").read_text(encoding="utf-8")
SCRIPT = (FOLDER / "run.sh").read_text(encoding="utf-8")
_DEFAULT = re.compile(r'^: "\$\{([A-Z_]+):=(.*)\}"', re.MULTILINE)
_ROW = re.compile(r"^\| `([A-Z_]+)` \| `([^`]+)`( here)? \|", re.MULTILINE)


@pytest.fixture(scope="module")
def running(
    engine: Engine, image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Single]:
    with single(engine, image, tmp_path_factory.mktemp("single")) as made:
        yield made


def test_it_asks_for_what_it_says(tmp_path: Path) -> None:
    """Without a variable set, the engine is asked for the defaults; arguments are passed on."""
    words = asked_of_the_engine(FOLDER / "run.sh", tmp_path, {}, "--env", "OFFLOADER_WORKERS=2")
    assert words[:2] == ["run", "--detach"]
    assert words[-3:] == [
        "--env",
        "OFFLOADER_WORKERS=2",
        f"ghcr.io/offloader/offloader:{__version__}",
    ]
    pairs = list(pairwise(words))
    assert [after for word, after in pairs if word == "--publish"] == [
        "0.0.0.0:4000:4000",
        "127.0.0.1:4001:4001",
    ]
    mounted = [after for word, after in pairs if word == "--mount"]
    assert f"type=bind,source={tmp_path}/project,target=/project,readonly" in mounted


def test_every_variable_is_explained() -> None:
    """The README's table has the script's variables and their defaults, in their order."""
    shown = [(name, f"$PWD/{text}" if here else text) for name, text, here in _ROW.findall(README)]
    assert shown == _DEFAULT.findall(SCRIPT)


def test_variables_reach_the_engine(tmp_path: Path) -> None:
    """Each variable of the script takes the place of its default."""
    chosen = {name: f"chosen-{name}" for name, _ in _DEFAULT.findall(SCRIPT)}
    told = " ".join(asked_of_the_engine(FOLDER / "run.sh", tmp_path, chosen))
    assert [name for name, text in chosen.items() if text not in told] == []


def test_shells_take_the_scripts(need: Callable[[str], None]) -> None:
    """Shellcheck finds nothing in any script of infra."""
    need("" if shutil.which("shellcheck") else "there is no shellcheck here: install it")
    scripts = sorted(INFRA.rglob("*.sh"))
    assert {path.name for path in scripts} >= {"run.sh", "on-volume.sh"}
    done = subprocess.run(
        ["shellcheck", *scripts], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    assert (done.returncode, done.stdout.decode()) == (0, "")


def test_it_runs_hardened(running: Single) -> None:
    """Started as the README says: ready, by its options and no others, the token in no variable."""
    container = json.loads(running.engine.run("inspect", running.name))[0]
    host, config = container["HostConfig"], container["Config"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert host["Memory"] == host["MemorySwap"] == 1 << 30
    assert (config["User"], config["StopTimeout"]) == ("10001:0", 40)
    assert not any(pair.startswith("OFFLOADER_ADMIN_TOKEN=") for pair in config["Env"])
    assert running.served() == "s0001"
    assert running.container.ask_admin("/diagnostics").status == 200


def test_the_health_check_of_the_image_is_used(running: Single) -> None:
    """The engine calls it healthy, by the image's own check."""
    container = running.container
    container.wait(lambda: container.state()["Health"]["Status"] == "healthy", PATIENCE_SECONDS)


def test_it_stops_and_starts_warm(running: Single) -> None:
    """The rest of the README: the status, a stop with exit 0, and a start that builds nothing."""
    readme = running.follow("docker-run")
    for start in ("cp -R ", "mkdir ", "./run.sh", "ADMIN="):
        readme.leave_out(start)
    container = running.container
    container.lines_before = len(container.lines())
    named = re.compile(r"\boffloader(?= offloader|$)", re.MULTILINE)
    for start, command in zip(
        ("docker exec", "docker stop"), readme.runbook.commands[readme.done :], strict=True
    ):
        assert command.startswith(start)
        done = readme.run(named.sub(running.name, command))
        assert done.code == 0, done
    container.wait(container.is_ready, PATIENCE_SECONDS)
    assert container.events("build_started") == []
    assert [line["event"] for line in container.lines()].count("stopped") == 1
