"""The example configuration of nginx: valid as it is, and fitting the service behind it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from dev.rollout.front import EXAMPLE, FLAGS, rendered, write_config

APPS = EXAMPLE.parents[2] / "offloader" / "web" / "apps.py"
SECONDS = 30.0


@pytest.fixture
def text() -> str:
    return EXAMPLE.read_text(encoding="utf-8")


def test_nginx_takes_the_example(nginx: str, text: str, tmp_path: Path) -> None:
    """`nginx -t` finds nothing, not even to warn of."""
    command = [*write_config(tmp_path, text), "-t"]
    assert command[0] == nginx
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr
    assert re.findall(r"\[(?:warn|error|emerg)\].*", done.stderr) == []


def test_no_failure_takes_an_instance_out(text: str) -> None:
    """Each server of each upstream has `max_fails=0`, so that both can never be out at once."""
    servers = re.findall(r"^    server (\S+) (.*);$", text, re.MULTILINE)
    assert len(servers) == 6
    assert {words.split()[0] for _, words in servers} == {"max_fails=0"}
    assert [words for _, words in servers if words.endswith(" backup")] == [
        "max_fails=0 backup",
        "max_fails=0 backup",
    ]


def test_nginx_lets_idle_connections_go_first(text: str) -> None:
    """Its time is shorter than the service's, which would else close one that is being used."""
    kept = set(re.findall(r"keepalive 32;\n    keepalive_timeout (\d+)s;", text))
    (service,) = re.findall(r"KEEP_ALIVE_TIMEOUT=(\d+)", APPS.read_text(encoding="utf-8"))
    assert kept == {"60"}
    assert int(service) > 60


def test_an_example_that_was_changed_is_told(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested is the example: each address and path in it is replaced, or that fails."""
    own = rendered(Path("/flags"), ("127.0.0.2:1", "127.0.0.3:2"), "127.0.0.4:3")
    assert re.findall(r"server (\S+:\d) ", own) == [
        *("127.0.0.2:1", "127.0.0.3:2", "127.0.0.3:2", "127.0.0.2:1", "127.0.0.2:1", "127.0.0.3:2")
    ]
    assert "/flags/a.out" in own
    assert FLAGS not in own
    monkeypatch.setattr("dev.rollout.front.FLAGS", "/elsewhere")
    with pytest.raises(ValueError, match="/elsewhere"):
        rendered(Path("/flags"), ("127.0.0.2:1", "127.0.0.3:2"), "127.0.0.4:3")
