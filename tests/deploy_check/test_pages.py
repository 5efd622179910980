"""The gate's page, its `--help`, its lists of routes and shellcheck's judgement."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from sanic import Blueprint
from sanic.models.futures import FutureRoute

from dev.deploy_check.instance import ENDED, NOT_BUILT, NOT_STOPPED, WRONG_IMAGE
from offloader.service.actions import KINDS
from offloader.web.admin import admin
from offloader.web.console.routes import console
from offloader.web.docs_site.routes import docs_site
from tests.deploy_check.breakages import BREAKAGES, PROCESS_BREAKAGES
from tests.deploy_check.gate import PARTS, SCRIPT, Gate
from tests.docs.markdown import ROOT

PAGE = (ROOT / "docs" / "deploy-check.md").read_text(encoding="utf-8")
_OPTION = re.compile(r"^  (--\S+(?: [A-Z]+)?) +(.+?)(?: \(default (.+)\))?$", re.MULTILINE)
_EXIT = re.compile(r"^  (\d+) +([a-z]+) +(.+)$", re.MULTILINE)


def _table(heading: str) -> list[list[str]]:
    """Return the rows of the first table below a heading, their marks of code taken off."""
    text = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line for line in text.splitlines() if line.startswith("|")][2:]
    return [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in rows]


def _help() -> str:
    return subprocess.run([SCRIPT, "--help"], capture_output=True, text=True, check=True).stdout


def test_the_page_has_every_option() -> None:
    """Option, variable, default and meaning are those of `--help`, in its order."""
    told = [
        [option, f"DEPLOY_CHECK_{_variable(option)}", default, words]
        for option, words, default in _OPTION.findall(_help())
    ]
    assert len(told) == 19
    assert _table("Options") == told


def test_the_page_has_every_exit_code() -> None:
    """Code, family and meaning are those of `--help`."""
    told = [list(row) for row in _EXIT.findall(_help())]
    assert [row[0] for row in told] == ["0", "2", "10", "20", "30", "40", "50", "60"]
    assert _table("Exit codes") == told


def test_the_page_lists_the_breakages_that_are_tried() -> None:
    """What is wrong, the exit code, and the check whose line says so."""
    every = [*PROCESS_BREAKAGES, *BREAKAGES]
    tried = [[one.words, str(one.exit_code), one.line.split()[2].rstrip(":")] for one in every]
    assert sorted(_table("What it catches")) == sorted(tried)
    assert len(tried) >= 10


def test_the_page_has_the_exit_codes_of_make() -> None:
    """Those of the step around the gate."""
    codes = [row[0] for row in _table("`make deploy-check`")]
    assert codes[1:] == [str(code) for code in (NOT_BUILT, ENDED, WRONG_IMAGE, NOT_STOPPED)]


def test_the_gate_asks_for_every_admin_route() -> None:
    """Its lists are the routes of the admin app: a new one is missing here until it is added."""
    text = (PARTS / "separation.sh").read_text(encoding="utf-8")
    lists = dict(re.findall(r"^readonly ([A-Z_]+)='([^']*)'", text, re.MULTILINE))
    futures = {route.uri for part in (admin, docs_site, console) for route in _routes(part)}
    plain = {uri.lstrip("/") for uri in futures if "<" not in uri} - {""}
    assert sorted(lists["ADMIN_ROUTES"].split()) == sorted(plain)
    assert sorted(lists["ACTIONS"].split()) == sorted(KINDS)
    actions = {f"/datasets/<dataset:str>/{kind}" for kind in KINDS}
    assert {uri for uri in futures if "<" in uri} == {"/schema/<name:str>", *actions}


def test_the_scripts_are_clean(shellcheck: str) -> None:
    """The tool shellcheck finds nothing, in the script with its parts and in each part."""
    parts = sorted(PARTS.glob("*.sh"))
    for words in (["--check-sourced", SCRIPT], parts):
        done = subprocess.run([shellcheck, *words], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "")


def test_the_scripts_need_no_newer_bash() -> None:
    """No construct that came after bash 3.2, which macOS has."""
    newer = re.compile(
        r"mapfile|readarray|declare -[aAnlu]*[Anlu]|local -[nAlu]|coproc|\|&|&>>|;;?&"
        r"|\$\{[A-Za-z_0-9!]+(,|\^|@)|\[\[? -v |wait -n|EPOCH|BASHPID|printf '%\("
        r"|read [^<]*-N|\{[a-z]+\}[<>]|<<"
    )
    for path in (SCRIPT, *PARTS.glob("*.sh")):
        assert newer.findall(path.read_text(encoding="utf-8")) == [], path.name


def test_a_missing_part_is_named(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Who copied the script alone is told to copy the folder; all in one folder will do."""
    folder = tmp_path_factory.mktemp("copied")
    copy = shutil.copy(SCRIPT, folder)
    done = subprocess.run(["bash", copy, "--help"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "options.sh is missing: copy the folder deploy-check" in done.stderr
    for part in PARTS.glob("*.sh"):
        shutil.copy(part, folder)
    done = subprocess.run(["bash", copy, "--help"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, _help())


def test_only_bash_and_curl_are_needed(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Of other programs it starts sleep alone."""
    folder = tmp_path_factory.mktemp("few")
    for name in ("bash", "curl", "sleep"):
        found = shutil.which(name)
        assert found is not None, f"install {name}"
        (folder / name).symlink_to(found)
    gate = Gate(folder, {"endpoint": "nothing", "admin_token": "a", "key": "b"})
    environ = {**gate.environment(api_url="http://127.0.0.1:9", admin_url="http://127.0.0.1:1")}
    environ |= {"PATH": str(folder), "DEPLOY_CHECK_READY_TIMEOUT": "1"}
    done = subprocess.run([SCRIPT], env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (10, "")
    assert "came no connection; to do: is the process running" in done.stdout


def _variable(option: str) -> str:
    return option.split()[0].removeprefix("--").replace("-", "_").upper()


def _routes(part: Blueprint) -> list[FutureRoute]:
    return list(part._future_routes)
