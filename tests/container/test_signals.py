"""Process 1, or the child of an init: signals arrive, orphans are reaped, exit codes are true."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.container.conftest import Start
from tests.container.contained import HARDENED, KILLED_EXIT
from tests.container.engine import Engine
from tests.projects import usage_project

ROWS = 300
_PIDS = "import os; print(*(name for name in os.listdir('/proc') if name.isdecimal()))"
# Its grandchild ends after both parents have: nobody but process 1 can take its exit.
_ORPHAN = """
import os
reading, writing = os.pipe()
if os.fork() == 0:
    grandchild = os.fork()
    if grandchild == 0:
        os.setsid()
        os.close(writing)
        os.read(reading, 1)
        os._exit(3)
    print(grandchild, flush=True)
    os._exit(0)
os.wait()
"""
_MAIN = """
import pathlib
for path in pathlib.Path("/proc").glob("[0-9]*/status"):
    parent = [line.split()[1] for line in path.read_text().splitlines() if line[:5] == "PPid:"]
    command = (path.parent / "cmdline").read_bytes().split(b"\\0")
    if b"serve" in command and path.parent.name != "1" and parent == ["1"]:
        print(path.parent.name)
"""


@pytest.mark.parametrize(
    ("options", "signal"), [((), "INT"), (("--init",), "TERM")], ids=["process_1", "under_init"]
)
def test_orphans_are_reaped_and_a_signal_ends_it_with_0(
    engine: Engine, start: Start, tmp_path: Path, options: tuple[str, ...], signal: str
) -> None:
    """What a check by hand leaves behind stays no zombie; main says goodbye, none is killed."""
    project = usage_project(tmp_path / "project", rows=ROWS)
    with start(project.root, *options) as container:
        orphan = container.python(_ORPHAN)
        container.wait(lambda: orphan not in container.python(_PIDS).split())
        engine.run("kill", "--signal", signal, container.name)
        assert engine.run("wait", container.name) == "0"
        assert container.events("stopped")


def test_an_init_passes_the_exit_code_on(engine: Engine, image: str) -> None:
    """A wrong config ends the container with 2, as without one."""
    done = engine.tried("run", "--rm", *HARDENED, "--init", image)
    assert done.returncode == 2
    assert "OFFLOADER_CONFIG" in done.stderr


def test_under_an_init_a_killed_main_ends_the_container(
    engine: Engine, start: Start, tmp_path: Path
) -> None:
    """Nothing of it lives on that a port could answer from, and the exit code says 137."""
    project = usage_project(tmp_path / "project", rows=ROWS)
    with start(project.root, "--init") as container:
        main = container.python(_MAIN)
        engine.run("exec", container.name, "python", "-ISc", f"import os; os.kill({main}, 9)")
        assert engine.run("wait", container.name) == str(KILLED_EXIT)
