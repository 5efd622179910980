"""Process 1 of a container reaps what it adopts, and nothing else."""

from __future__ import annotations

import subprocess
import sys

# As a subreaper the script adopts, as process 1 does, the child of a child that has ended.
_ADOPT = """
import ctypes, os, sys, threading, time
from offloader.service.main.orphans import reap_orphans

PR_SET_CHILD_SUBREAPER = 36
assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
read, write = os.pipe()  # at its end when the child and its own child have both ended
parent = os.fork()
if not parent:
    if not os.fork():
        os.setsid()
    os._exit(0)
os.close(write)
os.read(read, 1)
os.waitpid(parent, 0)
pause, deadline = threading.Event(), time.monotonic() + 60
reaped = 0
while not reaped:
    assert time.monotonic() < deadline
    reaped = reap_orphans()
    pause.wait(0.01)
own = os.posix_spawn(sys.executable, [sys.executable, "-ISc", ""], {})
os.waitid(os.P_PID, own, os.WEXITED | os.WNOWAIT)
print(reaped, reap_orphans(), os.waitpid(own, 0)[1], reap_orphans())
"""


def test_adopted_processes_are_reaped_and_own_ones_left() -> None:
    """One orphan is reaped; a child of its own is left to its starter; without children, none."""
    done = subprocess.run(
        [sys.executable, "-c", _ADOPT], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stderr == ""
    assert done.stdout.split() == ["1", "0", "0", "0"]
