"""The image needs no rights: no root, no capabilities, no writable file system, no shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.container.conftest import Start
from tests.container.contained import HARDENED
from tests.container.engine import Engine
from tests.projects import publish, usage_project, usage_table

ROWS = 300
TOTALS = "/v1/endpoints/usage_by_account"
_IDENTITY = "import os; print(os.getuid(), os.getgid())"


@pytest.mark.parametrize("user", [None, "10001", "20002", "4242:0", "4242:4242"])
def test_it_serves_without_any_rights(start: Start, tmp_path: Path, user: str | None) -> None:
    """As the image's user and as one that the platform picks: built, served, swapped, stopped."""
    project = usage_project(tmp_path / "project", rows=ROWS)
    key = project.authorization("tenant_0")
    options = () if user is None else ("--user", user)
    with start(project.root, *options) as container:
        uid, _, gid = (user or "10001").partition(":")
        assert container.python(_IDENTITY) == f"{uid} {gid or 0}"
        assert container.ask(TOTALS, key).headers["offloader-snapshot-id"] == "s0001"
        publish(project, usage_table(ROWS, factor=2), "s0002")
        container.wait(
            lambda: container.ask(TOTALS, key).headers["offloader-snapshot-id"] == "s0002"
        )
        assert container.stop() == 0


def test_the_health_check_tells_a_live_service_from_a_deaf_one(
    engine: Engine, image: str, start: Start, tmp_path: Path
) -> None:
    """The image's own check runs without a shell: 0 while `/live` answers, else 1."""
    project = usage_project(tmp_path / "project", rows=ROWS)
    check = json.loads(
        engine.run("image", "inspect", "--format", "{{json .Config.Healthcheck.Test}}", image)
    )
    assert check[0] == "CMD"
    with start(project.root) as container:
        assert engine.tried("exec", container.name, *check[1:]).returncode == 0
        deaf = ("--env", "OFFLOADER_ADMIN_PORT=1")
        assert engine.tried("exec", *deaf, container.name, *check[1:]).returncode == 1
        named = ("--env", "OFFLOADER_ADMIN_HOST=localhost")
        assert engine.tried("exec", *named, container.name, *check[1:]).returncode == 0
        elsewhere = ("--env", "OFFLOADER_ADMIN_HOST=127.0.0.2")
        assert engine.tried("exec", *elsewhere, container.name, *check[1:]).returncode == 0


def test_it_needs_no_shell(engine: Engine, image: str, start: Start, tmp_path: Path) -> None:
    """With every shell taken away it builds, serves, swaps and is checked as before."""
    find = "import os; print(*{os.path.realpath(f'/bin/{n}') for n in ('sh', 'dash', 'bash')})"
    command = ("--entrypoint", "python", image, "-ISc", find)
    shells = engine.run("run", "--rm", *HARDENED, *command).split()
    hidden = [f"--volume=/dev/null:{path}:ro" for path in shells]
    project = usage_project(tmp_path / "project", rows=ROWS)
    key = project.authorization("tenant_0")
    with start(project.root, *hidden, "--health-interval", "1s") as container:
        assert engine.tried("exec", container.name, "sh", "-c", "true").returncode != 0
        publish(project, usage_table(ROWS, factor=2), "s0002")
        container.wait(
            lambda: container.ask(TOTALS, key).headers["offloader-snapshot-id"] == "s0002"
        )
        container.wait(lambda: container.state()["Health"]["Status"] == "healthy")
        assert container.stop() == 0


@pytest.mark.parametrize(
    ("mount", "why"),
    [
        ("type=bind,src={0},dst=/state,readonly", "Read-only file system"),
        ("type=tmpfs,dst=/state,tmpfs-mode=0555", "Permission denied"),
    ],
)
def test_a_state_folder_that_cannot_be_written_is_named(
    engine: Engine, image: str, tmp_path: Path, mount: str, why: str
) -> None:
    """Exit 2, with the folder, the reason and what to do."""
    project = usage_project(tmp_path / "project", rows=ROWS)
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o777)
    served = ("--volume", f"{project.root}:/project:ro", "--env", "OFFLOADER_CONFIG=/project")
    cache = ("--mount", mount.format(state), "--env", "OFFLOADER_CACHE_DIR=/state/cache")
    done = engine.tried("run", "--rm", *HARDENED, *served, *cache, image)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"not started: [cache_not_writable] /state/cache: {why} (mount a volume the service's"
        " user can write, or set OFFLOADER_CACHE_DIR)"
    )


def test_a_wrong_setting_ends_the_container_with_its_problem(engine: Engine, image: str) -> None:
    """Exit 2 and a line that names the variable; the command line is the image's entry point."""
    done = engine.tried("run", "--rm", *HARDENED, image)
    assert done.returncode == 2
    assert "OFFLOADER_CONFIG" in done.stderr
    assert engine.run("run", "--rm", *HARDENED, image, "version").startswith("offloader ")


def test_the_image_holds_no_tests_and_no_secrets(engine: Engine, image: str) -> None:
    """What is installed is the package alone; the environment says nothing but where it lies."""
    variables = json.loads(
        engine.run("image", "inspect", "--format", "{{json .Config.Env}}", image)
    )
    assert [text for text in variables if text.startswith("OFFLOADER_")] == []
    code = (
        "import importlib.util as u; print([n for n in ('tests', 'dev', 'pip') if u.find_spec(n)])"
    )
    found = engine.run("run", "--rm", *HARDENED, "--entrypoint", "python", image, "-Ic", code)
    assert found == "[]"
