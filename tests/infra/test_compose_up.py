"""The compose example in an engine: up and healthy, a swap under load, killed for its memory."""

from __future__ import annotations

import json
import sys
import time

import pytest

from tests.infra.asking import CALLERS
from tests.infra.compose_stack import PATIENCE_SECONDS, Stack
from tests.service_process import wait_until

ANSWERS = 50
# Main, process 1 of the container, is what the kernel is told to take; then memory is taken.
_BREACH = """
with open("/proc/1/oom_score_adj", "w") as score:
    score.write("1000")
held = []
while True:
    held.append(b"x" * (16 << 20))
"""


def test_it_comes_up_healthy_and_hardened(stack: Stack) -> None:
    """`up --wait` returned: healthy, ready, by the example's own options and no others."""
    container = json.loads(stack.engine.run("inspect", stack.name))[0]
    assert container["State"]["Health"]["Status"] == "healthy"
    assert stack.container.is_ready()
    host, config = container["HostConfig"], container["Config"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert (config["User"], config["StopTimeout"]) == ("10001:0", 40)
    assert host["Memory"] == host["MemorySwap"] == 1 << 30
    published = host["PortBindings"]["4001/tcp"]
    assert published == [{"HostIp": "127.0.0.1", "HostPort": str(stack.admin[1])}]
    environ = dict(pair.split("=", 1) for pair in config["Env"])
    assert "OFFLOADER_ADMIN_TOKEN" not in environ
    assert stack.container.ask_admin("/diagnostics").status == 200


def test_operators_work_inside_it(stack: Stack) -> None:
    """The README's command shows what is served, with the token of the secret's file."""
    readme = stack.follow("compose")
    for start in ("cp -R ", "mkdir ", "docker compose up"):
        readme.leave_out(start)
    assert stack.served() in readme.do("docker compose exec offloader offloader snapshot status")


def test_a_swap_fails_no_request(stack: Stack) -> None:
    """Callers get the one snapshot, then the other; nobody is refused and nothing fails."""
    before = stack.served()
    with stack.callers() as asking:
        wait_until(
            lambda: asking.answered(before) >= ANSWERS,
            PATIENCE_SECONDS,
            lambda: asking.outcomes[-3:],
        )
        after = stack.publish()
        wait_until(
            lambda: asking.answered(after) >= ANSWERS,
            PATIENCE_SECONDS,
            lambda: asking.outcomes[-3:],
        )
    assert (asking.failed(), asking.refused()) == ([], [])


def test_killed_for_its_memory_it_comes_back_warm(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    """The kernel kills it at its limit; compose's policy starts it, with nothing built again."""
    served, container = stack.served(), stack.container
    container.lines_before = len(container.lines())
    since = f"{time.time():.3f}"
    with stack.callers() as asking:
        wait_until(
            lambda: asking.answered() >= ANSWERS, PATIENCE_SECONDS, lambda: asking.outcomes[-3:]
        )
        assert stack.engine.tried("exec", stack.name, "python", "-c", _BREACH).returncode != 0
        wait_until(asking.is_answered_again, PATIENCE_SECONDS, container.lines)
        wait_until(container.is_ready, PATIENCE_SECONDS, container.lines)
    told = f"killed for its memory: it answered again after {asking.gap_seconds():.1f} s"
    with capsys.disabled():
        sys.stdout.write(f"\n{told}\n")
    assert exits(stack, since) == ["137"]
    assert container.state()["Running"]
    assert container.events("build_started") == []
    assert len(container.events("segments_loaded")) == 1
    assert stack.served() == served
    # What each caller had just asked when everything died.
    assert len(asking.failed()) <= CALLERS
    assert 0 < asking.gap_seconds() < PATIENCE_SECONDS


def exits(stack: Stack, since: str) -> list[str]:
    """Return the exit codes of its container from a moment on."""
    until = f"{time.time():.3f}"
    words = ("--since", since, "--until", until, "--filter", f"container={stack.name}")
    shown = ("--filter", "event=die", "--format", "{{.Actor.Attributes.exitCode}}")
    return stack.engine.run("events", *words, *shown).splitlines()
