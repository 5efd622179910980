"""The page of runbooks: one for each incident, in one form, with commands that exist.

Each is followed on a real service: those of data and callers in `test_runbooks_data.py`, those of
start, volume, memory and image in `test_runbooks_machine.py`, that of the config's bucket in
`test_runbooks_bucket.py`.
"""

from __future__ import annotations

import re
import subprocess

from tests.docs.markdown import ROOT, blocks_of
from tests.docs.raised_codes import raised_codes
from tests.docs.runbook import PAGE, runbooks, sections

TITLES = (
    "Does not start",
    "Source unreachable",
    "Config bucket unreachable",
    "Bad manifest",
    "Stale",
    "Cache corrupted",
    "Disk full",
    "Memory full",
    "Latency",
    "Auth",
    "Rollback to previous image",
    "Rollback to previous snapshot",
    "Cache quarantine and rebuild",
)


def test_there_is_one_for_each_incident() -> None:
    """The page has these runbooks; each has symptom, signals, owner and action, in this order."""
    found = runbooks()
    assert tuple(found) == TITLES
    for one in found.values():
        assert re.findall(r"^\*\*(\w+)[.*]", one.text, re.MULTILINE)[0] == "Symptom"
        parts = [one.text.index(f"**{part}") for part in ("Symptom", "Signals", "Owner", "Action")]
        assert parts == sorted(parts), one.title
        assert one.signals, one.title
        assert one.commands, one.title


def test_every_incident_is_found_by_what_is_seen_first() -> None:
    """The table at the top leads to each runbook."""
    first = sections()["First look"]
    assert re.findall(r"\| \[([^\]]+)\]\(#[a-z-]+\) \|$", first, re.MULTILINE) == list(TITLES)


def test_every_variable_is_explained() -> None:
    """Commands use no variable that the page does not set or explain at its top."""
    top = sections()["Before you type"]
    known = {
        *re.findall(r"^export (\w+)=", top, re.MULTILINE),
        *re.findall(r"`(OFFLOADER_\w+)`", top),
    }
    for one in runbooks().values():
        text = "\n".join(one.commands)
        here = known.union(re.findall(r"^export (\w+)=", text, re.MULTILINE))
        assert set(re.findall(r"\$([A-Z_]+)", text)) <= here, one.title


def test_every_code_is_one_of_ours() -> None:
    """A code in a runbook's table is raised somewhere in the package; an event is logged there."""
    package = "".join(path.read_text() for path in (ROOT / "offloader").rglob("*.py"))
    tables = re.findall(
        r"^\| (?:code|code or event|refused with) \|.*\n((?:\|.*\n)+)", PAGE.read_text(), re.M
    )
    named = {code for rows in tables for code in re.findall(r"^\|([^|]+)\|", rows, re.M)}
    codes = {code for cell in named for code in re.findall(r"`([a-z_]+)`", cell)}
    assert len(codes) > 40
    unknown = codes - raised_codes().keys()
    assert {code for code in unknown if f'"{code}"' not in package} == set()


def test_the_commands_are_well_formed() -> None:
    """Each is something that a shell can read, those that the tests cannot run included."""
    shown = re.findall(
        r"`((?:docker|kubectl|offloader) [^`…]+)`", PAGE.read_text().replace("\n", " ")
    )
    written = [block.text for block in blocks_of(PAGE.read_text()) if block.language == "sh"]
    assert len(written) > 40
    for command in (*shown, *written):
        done = subprocess.run(["bash", "-n", "-c", command], capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b""), command
