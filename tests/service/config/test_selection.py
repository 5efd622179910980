"""Which objects are a project: the same files as in a folder, bounded, none outside."""

from __future__ import annotations

import pytest

from offloader.errors import ConfigError
from offloader.service.config.selection import (
    MAX_FILES,
    MAX_OBJECTS,
    MAX_PROJECT_BYTES,
    Layout,
    Objects,
    check_project_file,
    chosen,
    fingerprint,
    layout_of,
    named,
)
from offloader.stores.store import StoredObject

LAYOUT = Layout(("datasets", "endpoints"), "keys/keys.yml")
PREFIX = "of/project/"


def listing(*names: str, **changes: object) -> Objects:
    """Return a listing of small objects; `changes` are fields of all of them."""
    fields = {"size_bytes": 10, "version": "1", "modified_at": 0.0, **changes}
    return {name: StoredObject(key=PREFIX + name, **fields) for name in names}  # type: ignore[arg-type]


def codes(objects: Objects, layout: Layout = LAYOUT) -> list[tuple[str, str]]:
    """Return what is refused: file and code."""
    with pytest.raises(ConfigError) as raised:
        chosen(objects, layout)
    return [(problem.file, problem.code) for problem in raised.value.problems]


def test_the_files_are_those_of_a_project_in_a_folder() -> None:
    """YAML right in the two folders, offloader.yml and the keys file; no data, nothing below."""
    mine = (
        "offloader.yml",
        "datasets/usage.yml",
        "datasets/other.yaml",
        "endpoints/rows.yml",
        "keys/keys.yml",
    )
    others = (
        "",
        "datasets/",
        "datasets/.hidden.yml",
        "datasets/below/usage.yml",
        "datasets/usage.json",
        "datasets/usage.YML",
        "keys/other.yml",
        "data/manifest.json",
        "data/part-0.parquet",
        "elsewhere.yml",
    )
    assert set(chosen(listing(*mine, *others), LAYOUT)) == set(mine)


def test_the_layout_is_what_the_project_file_says() -> None:
    """Paths may be written with a dot or a slash too many, as in a folder."""
    assert layout_of(b"version: 1") == Layout(("datasets", "endpoints"), None)
    raw = b"version: 1\ndatasets_dir: ./ds/\nendpoints_dir: a//b\nkeys: ./k.txt\n"
    assert layout_of(raw) == Layout(("ds", "a/b"), "k.txt")
    flat = layout_of(b"datasets_dir: .\nendpoints_dir: .")
    assert set(chosen(listing("a.yml", "b/c.yml"), flat)) == {"a.yml"}


@pytest.mark.parametrize(
    "raw", [b"", b"- 1", b"keys: [", b"datasets_dir: /etc\nkeys: ../x", b"\xff"]
)
def test_a_wrong_project_file_has_the_usual_layout(raw: bytes) -> None:
    """So that the others are fetched, and every problem is told at once."""
    assert layout_of(raw) == Layout()


@pytest.mark.parametrize(
    "name",
    [
        "datasets/../../etc/cron.yml",
        "../outside.yml",
        "./datasets/a.yml",
        "datasets/./a.yml",
        "/datasets/a.yml",
        "datasets//a.yml",
        "datasets/..\\..\\a.yml",
        "datasets/a\n.yml",
        "datasets/a\0.yml",
        "datasets/\u202ea.yml",
        "datasets/\udc80.yml",
        f"datasets/{'a' * 252}.yml",
        f"datasets/{'ä' * 126}.yml",
    ],
)
def test_a_name_that_leaves_the_prefix_is_refused(name: str) -> None:
    """It is told by name, and nothing of the project is taken."""
    ((file, code),) = codes(listing("offloader.yml", name))
    assert code == "object_name_invalid"
    assert file.isprintable()
    assert file.isascii() or file.isprintable()


def test_such_a_name_beside_the_project_is_nobodys_business() -> None:
    """Data is never read or written by its name here."""
    names = ("data//part.parquet", "../x.json", "data/a\\b", "data/x\n")
    assert set(chosen(listing("offloader.yml", *names), LAYOUT)) == {"offloader.yml"}


def test_a_keys_file_must_have_a_plain_name_whatever_its_suffix() -> None:
    """It is written too."""
    layout = Layout(keys_file="k" * 300)
    ((_, code),) = codes(listing("k" * 300), layout)
    assert code == "object_name_invalid"


def test_a_file_and_a_folder_of_one_name_are_refused() -> None:
    """A bucket can hold both, a folder cannot."""
    layout = Layout(keys_file="datasets/a.yml/keys.yml")
    objects = listing("datasets/a.yml", "datasets/a.yml/keys.yml")
    assert codes(objects, layout) == [("datasets/a.yml", "file_not_regular")]


def test_one_file_too_many_is_refused() -> None:
    """500 are read."""
    names = [f"datasets/d{number}.yml" for number in range(MAX_FILES)]
    assert len(chosen(listing(*names), LAYOUT)) == 500
    objects = listing("offloader.yml", *names)
    assert codes(objects) == [("offloader.yml", "too_many_files")]


def test_one_byte_too_many_is_refused() -> None:
    """32 MiB altogether, 1 MiB each; all that is wrong is told."""
    names = [f"datasets/d{number}.yml" for number in range(32)]
    full = listing(*names, size_bytes=1 << 20)
    assert len(chosen(full, LAYOUT)) * (1 << 20) == MAX_PROJECT_BYTES
    assert codes({**full, **listing("offloader.yml", size_bytes=1)}) == [
        ("offloader.yml", "project_too_large")
    ]
    large = listing("datasets/a.yml", "endpoints/b.yml", size_bytes=(1 << 20) + 1)
    assert codes(large) == [
        ("datasets/a.yml", "file_too_large"),
        ("endpoints/b.yml", "file_too_large"),
    ]


def test_a_prefix_full_of_other_things_is_refused() -> None:
    """All of them would be listed at each look."""
    found = [StoredObject(f"{PREFIX}{n}.parquet", 1, "1", 0.0) for n in range(MAX_OBJECTS + 1)]
    assert len(named(found[:-1], PREFIX)) == MAX_OBJECTS
    with pytest.raises(ConfigError) as raised:
        named(found, PREFIX)
    assert [problem.code for problem in raised.value.problems] == ["too_many_objects"]


def test_the_project_file_comes_first() -> None:
    """It is missing, or too large to say where the others lie."""
    for objects, code in (
        (listing("datasets/a.yml"), "project_missing"),
        (listing("offloader.yml", size_bytes=(1 << 20) + 1), "file_too_large"),
    ):
        with pytest.raises(ConfigError) as raised:
            check_project_file(objects)
        assert [problem.code for problem in raised.value.problems] == [code]


def test_a_fingerprint_changes_with_the_project_alone() -> None:
    """New snapshots beside it are no change; a new version, file or name is one."""
    names = ("offloader.yml", "datasets/a.yml")
    before = fingerprint(listing(*names), LAYOUT)
    assert before == fingerprint(listing(*reversed(names), "data/manifest.json"), LAYOUT)
    others = [
        listing(*names, version="2"),
        listing(*names, size_bytes=11),
        listing(*names, checksum=("md5", "00")),
        listing(*names, "datasets/b.yml"),
        listing(*names, "endpoints/"),
        listing(*names, "datasets/../x.yml"),
        listing("offloader.yml"),
    ]
    found = {fingerprint(objects, LAYOUT) for objects in others}
    assert len(found | {before}) == len(others) + 1
    assert fingerprint(listing("x"), None) != fingerprint(listing("y"), None)
