"""The `offloader` command itself: its subcommands, its exit codes, its version."""

from __future__ import annotations

import json
import platform
import subprocess
import sys

import pytest

from offloader import __version__
from offloader.cli.main import main
from tests.service_process import OFFLOADER


def test_the_console_script_is_the_command() -> None:
    """`offloader --version` answers with the version on stdout."""
    done = subprocess.run([OFFLOADER, "--version"], capture_output=True, check=True, timeout=30)
    assert (done.stdout.decode(), done.stderr) == (f"offloader {__version__}\n", b"")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """As a line for people, as an object for scripts."""
    assert main(["version"]) == 0
    assert capsys.readouterr().out == f"offloader {__version__}\n"
    assert main(["version", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "version": __version__,
        "python": platform.python_version(),
    }


@pytest.mark.parametrize("words", [[], ["nonsense"], ["serve", "--port", "1"], ["version", "x"]])
def test_wrong_usage_exits_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What is wrong goes to stderr, nothing to stdout."""
    with pytest.raises(SystemExit) as raised:
        main(words)
    shown = capsys.readouterr()
    assert (raised.value.code, shown.out) == (2, "")
    assert shown.err.startswith("usage: offloader")


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """`offloader --help` exits 0 and names them."""
    with pytest.raises(SystemExit) as raised:
        main(["--help"])
    assert raised.value.code == 0
    text = capsys.readouterr().out
    for command in ("serve", "validate", "schema", "version"):
        assert f"\n    {command}" in text


def test_what_is_quick_imports_no_server() -> None:
    """`offloader version` loads neither the web server nor the table library."""
    code = (
        "import sys; from offloader.cli.main import main; main(['version']);"
        "print(sorted({'sanic', 'pyarrow', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=30)
    assert done.stdout.decode().splitlines()[1] == "[]"
