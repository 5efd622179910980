"""The fingerprint of a project's files: another one whenever the project may mean another thing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from offloader.catalog.project_files import fingerprint
from tests.catalog.project_documents import KEYS, PROJECT, ROWS, SUMMARY, USAGE
from tests.catalog.test_project_files import written


def test_the_same_files_have_the_same_fingerprint(tmp_path: Path) -> None:
    """Wherever they lie, whatever their times, and named by folder or by offloader.yml."""
    here, there = written(tmp_path / "here"), written(tmp_path / "there")
    before = fingerprint(here)
    assert fingerprint(there) == before
    assert fingerprint(here / PROJECT) == before
    for path in (here / USAGE, here / KEYS):
        os.utime(path, (1, 1))
    assert fingerprint(here) == before


@pytest.mark.parametrize("file", [PROJECT, USAGE, SUMMARY, KEYS])
def test_every_file_of_the_project_counts(tmp_path: Path, file: str) -> None:
    """One byte is enough, also in a file that was touched back to its old time."""
    root = written(tmp_path)
    before, times = fingerprint(root), (root / file).stat()
    (root / file).write_text((root / file).read_text() + "\n")
    os.utime(root / file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert fingerprint(root) != before


def test_files_that_come_go_and_move_count(tmp_path: Path) -> None:
    """A new file, a removed one, and one under another name."""
    root = written(tmp_path)
    seen = {fingerprint(root)}
    (root / "endpoints" / "new.yml").write_text("{}")
    seen.add(fingerprint(root))
    (root / "endpoints" / "new.yml").rename(root / "endpoints" / "newer.yml")
    seen.add(fingerprint(root))
    (root / ROWS).unlink()
    seen.add(fingerprint(root))
    assert len(seen) == 4


def test_bytes_that_move_between_files_count(tmp_path: Path) -> None:
    """The same text cut elsewhere is another project."""
    root = written(tmp_path)
    for name, text in (("x.yml", "ab"), ("y.yml", "c")):
        (root / "datasets" / name).write_text(text)
    before = fingerprint(root)
    for name, text in (("x.yml", "a"), ("y.yml", "bc")):
        (root / "datasets" / name).write_text(text)
    assert fingerprint(root) != before


def test_a_swapped_link_counts(tmp_path: Path) -> None:
    """That is how a ConfigMap changes: the files stay what they are, one link leads elsewhere."""
    root = written(tmp_path)
    (root / "endpoints").rename(root / "..one")
    (root / "endpoints").symlink_to("..one")
    before = fingerprint(root)
    written(tmp_path / "other")
    (tmp_path / "other" / "endpoints").rename(root / "..two")
    swapped = root / "..swap"
    swapped.symlink_to("..two")
    swapped.replace(root / "endpoints")
    assert fingerprint(root) == before
    path = root / "..two" / Path(SUMMARY).name
    path.write_text(path.read_text() + "# another owner\n")
    assert fingerprint(root) != before


def test_other_files_do_not_count(tmp_path: Path) -> None:
    """Data, drafts and hidden files are no part of the project."""
    root = written(tmp_path)
    before = fingerprint(root)
    for name in ("data.csv", "datasets/README.md", "datasets/.usage.yml.swp", "endpoints/x.yml~"):
        (root / name).write_text("changed")
    (root / "datasets" / "old").mkdir()
    (root / "datasets" / "old" / "usage.yml").write_text("[")
    assert fingerprint(root) == before


def test_files_that_cannot_be_read_count_and_break_nothing(tmp_path: Path) -> None:
    """The project is wrong then, and somebody must hear of it: it has another fingerprint."""
    root = written(tmp_path)
    seen = {fingerprint(root)}
    (root / USAGE).write_bytes(b"\xff not YAML [")
    seen.add(fingerprint(root))
    (root / USAGE).unlink()
    (root / USAGE).mkdir()
    seen.add(fingerprint(root))
    (root / KEYS).unlink()
    seen.add(fingerprint(root))
    (root / PROJECT).write_text("[")
    seen.add(fingerprint(root))
    (root / PROJECT).unlink()
    seen.add(fingerprint(root))
    assert len(seen) == 6
    assert fingerprint(tmp_path / "nowhere") == fingerprint(tmp_path / "nothing")


def test_the_folders_are_those_that_the_project_names(tmp_path: Path) -> None:
    """Files of a folder that is not named any more do not count."""
    root = written(tmp_path)
    (root / "datasets").rename(root / "tables")
    document = yaml.safe_load((root / PROJECT).read_text())
    (root / PROJECT).write_text(yaml.safe_dump({**document, "datasets_dir": "tables"}))
    before = fingerprint(root)
    (root / "datasets").mkdir()
    (root / USAGE).write_text("{}")
    assert fingerprint(root) == before
    (root / "tables" / "usage.yml").write_text("{}")
    assert fingerprint(root) != before
