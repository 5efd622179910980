"""The admin token and the key: given by file or variable, seen by nobody else."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.deploy_check.front import Sent, front, with_header
from tests.deploy_check.gate import SCRIPT, Checked
from tests.deploy_check.site import KEY, Site
from tests.http_replies import Reply
from tests.service_process import ADMIN_TOKEN

SECRETS = (ADMIN_TOKEN, KEY)


def _assert_untold(text: str) -> None:
    assert [secret for secret in SECRETS if secret in text] == []


def test_secrets_may_come_from_files(served: Site, tmp_path: Path) -> None:
    """A file with or without a line end is as good as the variable; /dev/fd works, too."""
    for end in ("", "\n", "\r\n"):
        (tmp_path / "token").write_text(f"{ADMIN_TOKEN}{end}", newline="")
        (tmp_path / "key").write_text(f"{KEY}{end}", newline="")
        files = {
            "admin_token_file": str(tmp_path / "token"),
            "key_file": str(tmp_path / "key"),
        }
        checked = served.gate.check(admin_token=None, key=None, **files)
        assert (checked.exit_code, checked.failures) == (0, [])
        _assert_untold(checked.all_text)


def test_no_process_shows_a_secret(served: Site) -> None:
    """While curl asks, no command line has a secret, and curl's environment has none."""
    seen: list[tuple[str, str]] = []

    def alter(sent: Sent) -> Sent:
        seen.extend(_processes("curl"))
        return sent

    with front(served.service.api, alter) as api, front(served.service.admin, alter) as admin:
        checked = served.gate.check(api_url=api, admin_url=admin)
    assert checked.exit_code == 0, checked.failures
    commands = {command for command, _ in seen}
    assert commands == {"curl --disable --config -"}
    for command, environment in seen:
        _assert_untold(command)
        _assert_untold(environment)


def test_no_command_line_of_any_process_has_a_secret(served: Site) -> None:
    """The script's own command line is clean, too, and that of each of its subshells."""
    found: list[str] = []

    def alter(sent: Sent) -> Sent:
        found.extend(command for command, _ in _processes("bash") if str(SCRIPT) in command)
        return sent

    with front(served.service.admin, alter) as admin:
        assert served.gate.check(admin_url=admin).exit_code == 0
    assert set(found) == {f"bash {SCRIPT}"}


@pytest.mark.parametrize("words", [["bash", "-x"], ["bash", "-v"], ["bash", "-xva"]])
def test_a_trace_shows_no_secret(served: Site, words: list[str]) -> None:
    """Who traces the script, when it passes and when it fails, sees none either."""
    for environ in ({}, {"endpoint": "no_such_endpoint", "query": None}):
        done = subprocess.run(
            [*words, SCRIPT],
            env={**served.gate.environment(**environ), "SHELLOPTS": "xtrace"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == (30 if environ else 0), done.stdout
        _assert_untold(done.stdout + done.stderr)


def test_what_sends_a_secret_back_is_not_printed(served: Site) -> None:
    """A service that answers with what it was sent: the lines and the summary hide it."""

    def answer(sent: Sent, reply: Reply) -> Reply:
        secret = dict(sent.headers).get("Authorization", "none").removeprefix("Bearer ")
        body = reply.body.replace(b"s0002", secret.encode())
        return Reply(reply.status, with_header(reply, "ETag", secret).pairs, body)

    with _both(served, answer) as checked:
        assert checked.exit_code == 30
        assert "expected a strong ETag; came (secret);" in checked.failures[0]
        assert checked.summary["snapshot_id"] == "(secret)"
        _assert_untold(checked.all_text)


def test_each_secret_goes_to_its_own_port_only(served: Site) -> None:
    """The token never to the API address, the key never to the admin address."""
    sent_to: dict[str, set[str]] = {"api": set(), "admin": set()}

    def note(port: str, sent: Sent) -> Sent:
        sent_to[port].add(sent.headers.get("Authorization", "").removeprefix("Bearer "))
        return sent

    with (
        front(served.service.api, lambda sent: note("api", sent)) as api,
        front(served.service.admin, lambda sent: note("admin", sent)) as admin,
    ):
        assert served.gate.check(api_url=api, admin_url=admin).exit_code == 0
    assert KEY in sent_to["api"]
    assert ADMIN_TOKEN not in sent_to["api"]
    assert ADMIN_TOKEN in sent_to["admin"]
    assert KEY not in sent_to["admin"]


@pytest.mark.parametrize("option", ["--admin-token", "--key"])
def test_a_secret_as_an_argument_is_refused(served: Site, option: str) -> None:
    """Exit 2, with what to use instead, and without what was given."""
    for words in ([option, "top-secret"], [f"{option}=top-secret"]):
        done = served.gate.run(*words)
        assert done.returncode == 2
        wanted = f"deploy-check: {option} would be seen by everybody: use {option}-file\n"
        assert done.stderr.decode().startswith(wanted)
        assert b"top-secret" not in done.stderr + done.stdout


@contextmanager
def _both(served: Site, answer: object) -> Iterator[Checked]:
    service = served.service
    with (
        front(service.api, answer=answer) as api,  # type: ignore[arg-type]
        front(service.admin, answer=answer) as admin,  # type: ignore[arg-type]
    ):
        yield served.gate.check(api_url=api, admin_url=admin)


def _processes(name: str) -> Iterator[tuple[str, str]]:
    """Yield command line and environment of this test's processes of a program, no other test's."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            is_named = (folder / "comm").read_text().strip() in (name, SCRIPT.name[:15])
            if is_named and _is_below(os.getpid(), int(folder.name)):
                command = (folder / "cmdline").read_bytes().rstrip(b"\0")
                environment = (folder / "environ").read_bytes()
                if command:
                    shown = command.replace(b"\0", b" ").decode(errors="replace")
                    yield shown, environment.decode(errors="replace")


def _is_below(root: int, pid: int) -> bool:
    while pid not in (0, root):
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])
    return pid == root
