"""`rollout.sh`: the order of a rollout, and that it stops where something is wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from dev.rollout.front import EXAMPLE

SCRIPT = EXAMPLE.with_name("rollout.sh")


def rollout(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run the script over flags in a folder; return its exit code and what it said."""
    done = subprocess.run(
        [str(SCRIPT), *arguments],
        env={**os.environ, "ROLLOUT_FOLDER": str(folder), "F": str(folder)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr).strip()


def flags(folder: Path) -> list[str]:
    """Return which instances are out."""
    return sorted(path.name for path in folder.glob("*.out"))


@pytest.mark.parametrize("name", ["a", "b"])
def test_it_is_out_from_before_it_stops_until_it_was_checked(tmp_path: Path, name: str) -> None:
    """Replaced, then checked, both while it is out; then it is back."""
    look = 'echo "{} $(cd "$F" && ls ./*.out)" >> "$F/seen"'
    code, said = rollout(tmp_path, name, look.format("replaced"), look.format("checked"))
    assert (code, said) == (0, f"rollout: {name} is back")
    assert (tmp_path / "seen").read_text() == f"replaced ./{name}.out\nchecked ./{name}.out\n"
    assert flags(tmp_path) == []


@pytest.mark.parametrize(("replace", "check", "code"), [("false", "true", 4), ("true", "false", 5)])
def test_what_is_wrong_stays_out(tmp_path: Path, replace: str, check: str, code: int) -> None:
    """The other one serves alone, and is not touched before this one is back."""
    done, said = rollout(tmp_path, "a", replace, check)
    assert (done, said.endswith("it stays out, b serves alone")) == (code, True)
    assert flags(tmp_path) == ["a.out"]
    done, said = rollout(tmp_path, "b", "true", "true")
    assert (done, said.startswith("rollout: a is out;")) == (3, True)
    assert flags(tmp_path) == ["a.out"]
    assert rollout(tmp_path, "a", "true", "true") == (0, "rollout: a is back")


@pytest.mark.parametrize("arguments", [(), ("c", "true", "true"), ("a", "true")])
def test_a_wrong_call_does_nothing(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """It says how to call it."""
    code, said = rollout(tmp_path, *arguments)
    assert (code, said.startswith("usage: rollout.sh <a|b>")) == (2, True)
    assert flags(tmp_path) == []


def test_without_its_folder_it_does_nothing(tmp_path: Path) -> None:
    """A flag that nginx does not look for would have a serving instance stopped."""
    code, said = rollout(tmp_path / "absent", "a", "true", "true")
    assert (code, said.startswith(f"rollout: {tmp_path}/absent is not there")) == (2, True)


def test_shellcheck_finds_nothing() -> None:
    """The script is as clean as a shell script can be."""
    if shutil.which("shellcheck") is None:
        pytest.skip("there is no shellcheck here: install shellcheck")
    done = subprocess.run(
        ["shellcheck", str(SCRIPT)], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
