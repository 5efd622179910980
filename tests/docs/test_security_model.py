"""docs/security-model.md: every defence it claims is proved by a test that there is."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from offloader.query.query_string import MAX_PAIRS
from offloader.service.worker.prepare import MAX_TOKEN_LENGTH
from offloader.web.reply import MAX_HEADER_BYTES, MAX_REQUEST_BYTES
from tests.docs.markdown import ROOT

TEXT = (ROOT / "docs" / "security-model.md").read_text(encoding="utf-8")
_TEST = re.compile(r"`(tests/[a-z_/]+\.py(?:::[A-Za-z_]\w*)+)`")
_ROW = re.compile(r"^\| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
_COLLECT_SECONDS = 120.0


def threats() -> list[tuple[str, ...]]:
    """Return the rows of the table of threats: threat, what happens, proof."""
    section = re.split(r"^## Threats$", TEXT, flags=re.MULTILINE)[1].split("\n## ")[0]
    return [row for row in _ROW.findall(section) if not row[0].startswith(("threat", "---"))]


def test_every_threat_names_its_proof() -> None:
    """One test each, whole, and no threat twice."""
    rows = threats()
    assert len(rows) > 50
    assert [row for row in rows if not _TEST.fullmatch(row[2])] == []
    assert len({row[0] for row in rows}) == len(rows)


def test_every_proof_is_a_test_that_is_collected(request: pytest.FixtureRequest) -> None:
    """Each is found by its name, and is run: no mark skips it or expects it to fail."""
    wanted = {_TEST.findall(row[2])[0] for row in threats()}
    here = {item.nodeid.split("[")[0] for item in request.session.items}
    missing = sorted(wanted - here)  # nothing in a run of all tests
    assert _collected(missing) == set(missing)
    for name in wanted:
        path, _, function = name.rpartition("::")
        source = (ROOT / path.split("::")[0]).read_text(encoding="utf-8")
        marks = re.findall(rf"((?:^ *@.*\n)*)^ *def {function}\(", source, re.MULTILINE)[0]
        assert "skip" not in marks, name
        assert "xfail" not in marks, name


def _collected(names: list[str]) -> set[str]:
    """Return those of some tests that pytest finds, without their params; fail for any other."""
    if not names:
        return set()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-p", "no:cacheprovider", *names],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=_COLLECT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return {line.split("[")[0] for line in done.stdout.splitlines() if "::" in line}


def test_stated_limits_are_those_of_the_code() -> None:
    """Heads, bodies, params and tokens."""
    flat = " ".join(TEXT.split())
    assert f"request line and head {MAX_HEADER_BYTES >> 10} KiB" in flat
    assert f"bodies {MAX_REQUEST_BYTES >> 10} KiB" in flat
    assert f"{MAX_PAIRS} params" in flat
    assert f"tokens {MAX_TOKEN_LENGTH:,} characters" in flat
