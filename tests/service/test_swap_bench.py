"""The swap benchmark runs on real processes, and prints what it promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev.bench import swap_speed
from dev.bench.swap_project import make_project
from offloader.catalog.documents import parse_documents

LABELS = [
    *("descriptors", "sealed and offered", "all acknowledged", "commit returned"),
    *("served by all", "commit, the store", "changed project", "all made anew", "ratio"),
]
SMALL = ["--workers", "2", "--datasets", "3", "--rows", "200", "--rounds", "1"]


@pytest.mark.parametrize(("limit_ms", "code", "verdict"), [(1e9, 0, "met"), (0.0, 1, "broken")])
def test_each_figure_has_its_line_and_the_limit_decides_the_exit(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    limit_ms: float,
    code: int,
    verdict: str,
) -> None:
    """Its own files are gone afterwards."""
    monkeypatch.setattr(swap_speed, "LIMIT_MS", limit_ms)
    assert swap_speed.main([*SMALL, "--folder", str(tmp_path)]) == code
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith("2 workers, 3 datasets in 21 parts, 12 endpoints;")
    assert [line[:19].strip() for line in lines] == LABELS
    assert lines[4].endswith(f": {verdict}")
    assert list(tmp_path.iterdir()) == []


def test_its_swaps_change_what_they_say(tmp_path: Path) -> None:
    """One dataset's parts in one case, the project file and nothing else in the other."""
    project = make_project(tmp_path, 3, 50)
    before, after = project.swapped(0), project.swapped(1)
    assert before["documents"] == after["documents"]
    changed = [n for n in before["snapshots"] if before["snapshots"][n] != after["snapshots"][n]]
    assert changed == ["usage_000"]
    assert project.relabelled(1)["snapshots"] == before["snapshots"]
    revisions = {parse_documents(project.relabelled(n)["documents"]).revision for n in (1, 2)}
    assert len(revisions) == 2
