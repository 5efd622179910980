"""Stand-ins for docker, cosign and gh: they note how they were called and answer from a table.

A script of a workflow is run as GitHub runs it, with these first on its PATH.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

NAMES = ("cosign", "docker", "gh")
SCRIPT_SECONDS = 120.0
_TOOL = """#!{python}
import json, sys
from pathlib import Path
folder = Path({folder!r})
call = [{name!r}, *sys.argv[1:]]
with (folder / "calls").open("a") as calls:
    calls.write(json.dumps(call) + "\\n")
line = " ".join(call)
for part, code, text in json.loads((folder / "answers").read_text()):
    if part in line:
        print(text)
        sys.exit(code)
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a script: exit code, calls of the tools in order, outputs of the step."""

    code: int
    calls: list[str]
    outputs: dict[str, str] = field(default_factory=dict)


def run_script(
    script: str, folder: Path, answers: list[tuple[str, int, str]], environ: Mapping[str, str]
) -> Ran:
    """Run a step's script in a folder; an answer is part of a call, its exit code and its output.

    The first answer whose part is in the call counts; without any it is 0 and silence.
    """
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    for name in NAMES:
        tool = tools / name
        tool.write_text(_TOOL.format(python=sys.executable, folder=str(tools), name=name))
        tool.chmod(0o755)
    (tools / "answers").write_text(json.dumps(answers))
    (tools / "calls").write_text("")
    output = folder / "output"
    output.write_text("")
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env={"PATH": f"{tools}:{os.environ['PATH']}", "GITHUB_OUTPUT": str(output), **environ},
        capture_output=True,
        timeout=SCRIPT_SECONDS,
        check=False,
    )
    calls = [" ".join(json.loads(line)) for line in (tools / "calls").read_text().splitlines()]
    pairs = (line.partition("=") for line in output.read_text().splitlines())
    return Ran(done.returncode, calls, {name: text for name, _, text in pairs})
