"""A project's files are found and read within the project, and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from offloader.catalog.documents import load_catalog
from offloader.errors import ConfigError
from tests.catalog.project_documents import (
    KEYS,
    PROJECT,
    ROWS,
    SUMMARY,
    USAGE,
    Documents,
    Found,
    valid_documents,
)


def written(root: Path, documents: Documents | None = None) -> Path:
    """Write a project's documents below `root` and return it."""
    documents = documents or valid_documents()
    files = {**documents["datasets"], **documents["endpoints"]}
    for file, document in {**files, PROJECT: documents["project"], KEYS: documents["keys"]}.items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(yaml.safe_dump(document), encoding="utf-8")
    return root


def found_at(root: Path) -> Found:
    """Return file, path and code of every problem of a project."""
    with pytest.raises(ConfigError) as refusal:
        load_catalog(root)
    return [(problem.file, problem.path, problem.code) for problem in refusal.value.problems]


def test_documents_survive_the_disk(tmp_path: Path) -> None:
    """What is read is what was written, from the folder and from its offloader.yml alike."""
    root = written(tmp_path)
    assert load_catalog(root)[1] == valid_documents()
    assert load_catalog(root / PROJECT)[1] == valid_documents()


def test_only_yaml_files_are_read(tmp_path: Path) -> None:
    """Other files, hidden files and folders below are left alone; both suffixes count."""
    root = written(tmp_path)
    (root / "datasets/README.md").write_text("# not YAML: [")
    (root / "datasets/.hidden.yml").write_text("[")
    (root / "datasets/old").mkdir()
    (root / "datasets/old/usage.yml").write_text("[")
    (root / ROWS).rename(root / "endpoints/rows.yaml")
    assert sorted(load_catalog(root)[0].endpoints) == ["rows", "summary"]


def test_a_mounted_config_map_is_read(tmp_path: Path) -> None:
    """Links that stay inside the project are followed: that is how ConfigMaps are mounted."""
    root = written(tmp_path)
    for folder in ("datasets", "endpoints"):
        (root / folder / "..2026").mkdir()
        for path in (root / folder).glob("*.yml"):
            path.rename(root / folder / "..2026" / path.name)
            path.symlink_to(Path("..data") / path.name)
        (root / folder / "..data").symlink_to("..2026")
    assert load_catalog(root)[1] == valid_documents()


@pytest.mark.parametrize("name", ["", "nothing", "datasets", "datasets/usage.yml"])
def test_a_place_without_a_project_is_refused(tmp_path: Path, name: str) -> None:
    """The problem names the file that is not there."""
    written(tmp_path)
    (tmp_path / PROJECT).unlink()
    assert found_at(tmp_path / name) == [(PROJECT, "", "project_missing")]


def test_an_impossible_place_is_refused(tmp_path: Path) -> None:
    """A path that the system cannot look up is unreadable, not a traceback."""
    assert found_at(tmp_path / ("x" * 300)) == [(PROJECT, "", "file_unreadable")]


def test_links_out_of_the_project_are_refused(tmp_path: Path) -> None:
    """No file, folder or keys file may lie elsewhere."""
    root, outside = written(tmp_path / "project"), tmp_path / "outside"
    outside.mkdir()
    for file in (USAGE, KEYS):
        (root / file).rename(outside / Path(file).name)
        (root / file).symlink_to(outside / Path(file).name)
    (root / "endpoints").rename(outside / "endpoints")
    (root / "endpoints").symlink_to(outside / "endpoints")
    assert found_at(root) == [
        (USAGE, "", "path_leaves_project"),
        ("endpoints", "", "path_leaves_project"),
        (KEYS, "", "path_leaves_project"),
    ]


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    """A link to itself is unreadable, not an endless read."""
    root = written(tmp_path)
    (root / "datasets/loop.yml").symlink_to("loop.yml")
    assert found_at(root) == [("datasets/loop.yml", "", "file_unreadable")]


def test_special_files_are_refused(tmp_path: Path) -> None:
    """A pipe is never waited for, a folder never read as a file."""
    root = written(tmp_path)
    os.mkfifo(root / "datasets/pipe.yml")
    (root / "datasets/folder.yml").mkdir()
    assert found_at(root) == [
        ("datasets/folder.yml", "", "file_not_regular"),
        ("datasets/pipe.yml", "", "file_not_regular"),
    ]


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    """More than 1 MiB is not read."""
    root = written(tmp_path)
    (root / "datasets/large.yml").write_bytes(b"#" * (2**20 + 1))
    assert found_at(root) == [("datasets/large.yml", "", "file_too_large")]


def test_a_file_name_must_be_showable(tmp_path: Path) -> None:
    """A name that no message can print is refused."""
    root = written(tmp_path)
    (root / "datasets/a\nb.yml").write_text("id: x")
    assert found_at(root) == [("datasets", "", "file_name_invalid")]


def test_missing_folders_and_keys_are_reported_together(tmp_path: Path) -> None:
    """Each missing piece is one problem; nothing is said of what depends on it."""
    root = written(tmp_path)
    (root / KEYS).unlink()
    for path in (root / "datasets").iterdir():
        path.unlink()
    (root / "datasets").rmdir()
    assert found_at(root) == [("datasets", "", "file_missing"), (KEYS, "", "file_missing")]


def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    """datasets_dir must be a folder."""
    root = written(tmp_path)
    documents = valid_documents()
    documents["project"]["datasets_dir"] = PROJECT
    written(root, documents)
    assert (PROJECT, "", "folder_missing") in found_at(root)


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    """A folder of more than 1000 files is not read."""
    root = written(tmp_path)
    for number in range(1000):
        (root / f"datasets/d{number}.yml").touch()
    assert found_at(root) == [("datasets", "", "too_many_files")]


def test_reading_and_checking_problems_come_together(tmp_path: Path) -> None:
    """A broken file hides no other problem, and what refers to it is no problem itself."""
    root = written(tmp_path)
    (root / USAGE).write_text("id: usage\nid: usage\n\t- x")
    (root / SUMMARY).write_text((root / SUMMARY).read_text().replace("version: 2", "version: 0"))
    (root / PROJECT).write_text((root / PROJECT).read_text() + "auth: none\n")
    assert found_at(root) == [
        (USAGE, "", "yaml_syntax"),
        (SUMMARY, "version", "out_of_range"),
        (PROJECT, "auth", "auth_none_with_tenant"),
        (PROJECT, "auth", "yaml_duplicate_key"),
        (PROJECT, "keys", "keys_unused"),
    ]


def test_a_broken_project_file_hides_no_other_problem(tmp_path: Path) -> None:
    """The default folders are read even when offloader.yml cannot be."""
    root = written(tmp_path)
    (root / PROJECT).write_text("version: [")
    (root / ROWS).write_text("a: \0")
    assert found_at(root) == [(ROWS, "", "yaml_nul"), (PROJECT, "", "yaml_syntax")]
