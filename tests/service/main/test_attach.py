"""Rules of main's attach socket: who is let in, what they can do with what they get."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from offloader.service.main.attach_server import AttachServer
from offloader.service.main.generations import Generations
from offloader.service.reloader.main_link import MainLink
from offloader.shared.attach import connect, receive, send
from offloader.shared.control import ControlBlock
from tests.service.loaded import Loaded
from tests.service.swapping import Entries, serve
from tests.shared.descriptors import eventually, open_descriptors

ROOT = Path(__file__).parents[3]


def run(*arguments: str) -> str:
    """Run Python as a child of this process and return what it prints."""
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


_ATTACH = """
import sys
from offloader.shared.attach import connect, receive, send
connection = connect(sys.argv[1])
try:
    send(connection, {"role": "worker", "worker": 0})
    print(*receive(connection)[0])
except (EOFError, OSError) as error:
    print(type(error).__name__)
"""
_GRANDCHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]])"


def test_a_worker_cannot_write_anything_it_was_given(
    server: AttachServer,
    generations: Generations,
    made: Loaded,
    entries: Entries,
    control: ControlBlock,
) -> None:
    """In a real child: mapping, descriptor, resize, new mapping and seals fail, all of them."""
    serve(generations, made, entries[0])
    found = json.loads(run("-m", "tests.service.intruder", server.address))
    refused = {
        "assign": "mmap can't modify a readonly memory map.",
        "store": "SIGSEGV",
        **dict.fromkeys(("write", "pwrite", "shrink", "grow", "punch"), "EPERM"),
        **dict.fromkeys(("map", "open again", "seal"), "EPERM"),
    }
    # A sealed file is mapped privately: a page made writable is a copy that no one else sees.
    private = refused | {
        "assign": "cannot modify read-only memory",
        "store after mprotect": "done",
    }
    assert found == {
        "control": refused | {"store after mprotect": "EACCES"},
        **dict.fromkeys(("part 1", "part 2", "part 3", "part 4", "document"), private),
    }
    assert control.generation() == 1
    for path in made.paths("alpha", entries[0]):
        part = generations._store[path.name]
        assert os.pread(part.descriptor, part.size_bytes, 0) == path.read_bytes()


def test_a_child_is_let_in_and_a_grandchild_is_not(
    server: AttachServer, generations: Generations, made: Loaded
) -> None:
    """Main talks to its own children only; others are closed without a word."""
    generations.commit(generations.prepare(made.document()))
    assert run("-c", _ATTACH, server.address) == "workers\n"
    refused = run("-c", _GRANDCHILD, _ATTACH, server.address)
    assert refused.strip() in {"EOFError", "BrokenPipeError", "ConnectionResetError"}


def test_who_is_refused_gets_no_descriptor_and_costs_none(
    server: AttachServer, generations: Generations, made: Loaded
) -> None:
    """A hundred connections of a stranger, here this process itself, leave nothing behind."""
    before = open_descriptors()
    for _ in range(100):
        with connect(server.address) as client, pytest.raises((EOFError, OSError)):
            receive(client)
    eventually(lambda: open_descriptors() <= before)


def test_a_hundred_workers_that_come_and_go_leak_no_descriptor(
    server: AttachServer, generations: Generations, made: Loaded, entries: Entries, let_in: None
) -> None:
    """Each gets the whole generation and ends; main is as it was."""
    serve(generations, made, entries[0])
    before = open_descriptors()
    for _ in range(100):
        with connect(server.address) as client:
            send(client, {"role": "worker", "worker": 1})
            for _packet in range(3):  # the welcome, the parts, the generation
                for descriptor in receive(client)[1]:
                    os.close(descriptor)
    eventually(lambda: open_descriptors() <= before and not generations._peers)


def test_a_peer_that_sends_nonsense_is_closed_and_leaks_nothing(
    server: AttachServer, generations: Generations, made: Loaded, let_in: None
) -> None:
    """Whatever comes, the others are served on."""
    generations.commit(generations.prepare(made.document()))
    before = open_descriptors()
    hello: dict[str, object] = {"role": "worker", "worker": 0}
    wrong: list[list[dict[str, object]]] = [
        [hello, {"attached": "x"}],
        [hello, {}],
        [{"role": "worker"}],
        [{"role": "worker", "worker": -1}],
        [{"role": "worker", "worker": 2}],
        [{"role": "worker", "worker": "0"}],
        [{"role": "reloader"}, {"commit": 99, "began_ns": 0}],
        [{"role": "reloader"}, {"prepare": True}],
    ]
    for messages in wrong:
        with connect(server.address) as client:
            for message in messages:
                send(client, message)
            eventually(lambda client=client: is_closed(client))  # type: ignore[misc]
    eventually(lambda: open_descriptors() <= before)
    MainLink(server.address)._connection.close()


def is_closed(client: object) -> bool:
    """Read one packet; tell whether there was none because the peer closed."""
    try:
        for descriptor in receive(client)[1]:  # type: ignore[arg-type]
            os.close(descriptor)
    except (EOFError, ConnectionResetError):
        return True
    return False


def test_a_worker_is_known_by_the_kernels_pid(
    server: AttachServer, generations: Generations, made: Loaded, let_in: None
) -> None:
    """Main kills late workers, so it does not take their word for who they are."""
    generations.commit(generations.prepare(made.document()))
    with connect(server.address) as client:
        send(client, {"role": "worker", "worker": 0, "pid": 1})
        eventually(lambda: generations._peers)
        assert [peer.pid for peer in generations._peers] == [os.getpid()]
