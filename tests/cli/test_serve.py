"""`offloader serve` that cannot start: exit 2, every reason, a remedy, and nothing left behind."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from offloader.cli.serve import check_memory
from offloader.errors import StartError
from offloader.settings.settings import read_settings
from tests.projects import usage_project, write_yaml
from tests.service_process import refused, running


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return usage_project(tmp_path / "project", rows=10).root


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.mark.parametrize("name", ["API", "ADMIN"])
def test_a_port_in_use_is_named(project: Path, tmp_path: Path, name: str, taken_port: int) -> None:
    """The variable's name is in the remedy, and nothing was loaded or written yet."""
    cache = tmp_path / "cache"
    code, lines = refused(project, cache, **{f"{name.lower()}_port": str(taken_port)})
    assert code == 2
    (line,) = lines
    assert "port_in_use" in line
    assert f"OFFLOADER_{name}_PORT" in line
    assert str(taken_port) in line
    assert not cache.exists()


def test_a_service_that_runs_keeps_its_ports(project: Path, tmp_path: Path) -> None:
    """A second instance on the same port is refused, and the first goes on."""
    with running(project, tmp_path / "cache", workers="1") as service:
        for name, port in (("api", service.api[1]), ("admin", service.admin[1])):
            code, lines = refused(project, tmp_path / "other", **{f"{name}_port": str(port)})
            assert (code, len(lines)) == (2, 1)
            assert f"OFFLOADER_{name.upper()}_PORT" in lines[0]
        assert service.is_ready()


def test_every_problem_of_a_project_is_told(project: Path, tmp_path: Path) -> None:
    """All files' problems at once, with file, place, code and hint."""
    write_yaml(project / "datasets" / "usage.yml", {"id": "Usage!", "nonsense": 1})
    (project / "endpoints" / "usage_rows.yml").write_text("name: [", encoding="utf-8")
    code, lines = refused(project, tmp_path / "cache")
    text = "\n".join(lines)
    assert code == 2
    for part in ("datasets/usage.yml: id: [bad_identifier]", "[unknown_key]", "[yaml_syntax]"):
        assert part in text
    assert text.count("hint:") >= 4
    assert lines[-1].startswith("not started: ")
    assert not (tmp_path / "cache").exists()


def test_every_problem_of_the_environment_is_told(project: Path, tmp_path: Path) -> None:
    """All variables at once; a secret's value is not repeated."""
    code, lines = refused(
        project, tmp_path / "cache", api_port="high", workers="0", admin_token="top\tsecret"
    )
    text = "\n".join(lines)
    assert code == 2
    assert text.count("[variable_invalid]") == 3
    for name in ("API_PORT", "WORKERS", "ADMIN_TOKEN"):
        assert f"OFFLOADER_{name}: [variable_invalid]" in text
    assert "secret" not in text.replace("secret_", "")


def test_a_project_that_is_not_there_is_told(tmp_path: Path) -> None:
    """The refusal names what is looked for."""
    code, lines = refused(tmp_path / "absent", tmp_path / "cache")
    assert code == 2
    assert "[project_missing]" in lines[0]


def test_a_url_that_is_no_bucket_is_told(tmp_path: Path, project: Path) -> None:
    """It has its own code, and says what can be named instead."""
    code, lines = refused(project, tmp_path / "cache", config="https://host/project")
    assert code == 2
    assert "environment: OFFLOADER_CONFIG: [location_unsupported]" in lines[0]
    assert "hint: name a folder, a gs:// or an s3:// prefix" in lines[1]
    assert not (tmp_path / "cache").exists()


def test_an_unwritable_cache_is_told(project: Path, tmp_path: Path) -> None:
    """A cache below a file cannot be made, not even by root."""
    (tmp_path / "file").touch()
    code, lines = refused(project, tmp_path / "file" / "cache")
    assert code == 2
    (line,) = lines
    assert "cache_not_writable" in line
    assert "OFFLOADER_CACHE_DIR" in line


def test_too_little_memory_is_told() -> None:
    """128 MiB for main and 48 for each worker; one byte less is refused with a remedy."""
    environ = {"OFFLOADER_CONFIG": "/project", "OFFLOADER_WORKERS": "2"}
    settings, _ = read_settings(environ, is_terminal=False, cpus=2, memory_bytes=1 << 30)
    needed = (128 + 2 * 48) << 20
    check_memory(settings, needed)
    with pytest.raises(StartError) as raised:
        check_memory(settings, needed - 1)
    assert raised.value.code == "memory_too_small"
    assert "OFFLOADER_WORKERS" in raised.value.hint


def test_an_unknown_variable_is_a_warning(project: Path, tmp_path: Path) -> None:
    """The nearest known name is suggested, and the service starts all the same."""
    with running(project, tmp_path / "cache", workers="1", admin_tokn="x") as service:
        warning, hint = (line["text"] for line in service.lines[:2])
        assert "OFFLOADER_ADMIN_TOKN: [unknown_variable]" in warning
        assert hint.strip() == "hint: did you mean OFFLOADER_ADMIN_TOKEN?"
