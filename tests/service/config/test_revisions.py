"""Revisions on the cache volume: whole or not there, checked before they are used, few."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from offloader.errors import SourceUnavailable
from offloader.service.config import revisions as module
from offloader.service.config.revisions import Fetched, Revision, Revisions
from offloader.service.config.selection import Layout
from tests.service.config.held_bucket import PLACE


def project(text: str = "") -> Fetched:
    """Return a fetched project of two files; `text` tells one from another."""
    files = {"offloader.yml": b"version: 1\n", "datasets/a.yml": text.encode()}
    return Fetched(files, Layout(), ("datasets", "endpoints"), f"listing of {text}")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def revisions(cache: Path) -> Revisions:
    return Revisions(cache, PLACE)


def place_of(revision: Revision) -> Path:
    """Return the folder of all revisions."""
    return revision.files.parents[1]


def test_a_revision_is_kept_with_its_folders(revisions: Revisions) -> None:
    """Also those that are empty, for a project without one is another project."""
    kept = revisions.keep(project("one"), 1000.0)
    assert (kept.files / "datasets/a.yml").read_bytes() == b"one"
    assert (kept.files / "endpoints").is_dir()
    assert revisions.named(kept.id) == kept
    assert revisions.last_good() is None
    assert [path.name for path in place_of(kept).iterdir()] == [kept.id]


def test_a_revision_in_use_is_the_last_good_one(revisions: Revisions, cache: Path) -> None:
    """For this project; another one on the same volume has its own."""
    kept = revisions.keep(project(), 1000.0)
    revisions.use(kept, 2000.0)
    assert (revisions.last_good(), revisions.applied_at()) == (kept, 2000.0)
    other = Revisions(cache, replace(PLACE, key="other"))
    assert (other.last_good(), other.applied_at()) == (None, 0.0)


@pytest.mark.parametrize("damage", ["changed", "added", "removed", "record", "gone"])
def test_a_damaged_revision_is_not_used(damage: str, revisions: Revisions) -> None:
    """A keys file that was cut short must not let anybody in; it is fetched anew."""
    kept = revisions.keep(project("one"), 1000.0)
    revisions.use(kept, 1000.0)
    path = kept.files / "datasets" / "a.yml"
    if damage == "changed":
        path.write_bytes(b"")
    elif damage == "added":
        path.with_name("b.yml").write_bytes(b"")
    elif damage == "removed":
        path.unlink()
    elif damage == "record":
        (kept.files.parent / "record").write_bytes(b"[" * 100_000)
    else:
        kept.files.parent.rename(kept.files.parent.with_name("elsewhere"))
    assert revisions.last_good() is None
    assert revisions.keep(project("one"), 2000.0).id == kept.id
    found = revisions.last_good()
    assert found is not None
    assert (found.files / "datasets/a.yml").read_bytes() == b"one"


def test_a_record_that_names_a_path_is_nothing(revisions: Revisions) -> None:
    """Only a digest is a revision's name."""
    kept = revisions.keep(project(), 1000.0)
    revisions.use(kept, 1000.0)
    record = place_of(kept) / "current"
    document = json.loads(record.read_bytes())
    record.write_text(json.dumps({**document, "revision": f"../{document['revision']}"}))
    assert revisions.last_good() is None


def test_a_record_of_another_place_is_nothing(revisions: Revisions) -> None:
    """Whatever brought it there."""
    kept = revisions.keep(project(), 1000.0)
    revisions.use(kept, 1000.0)
    record = place_of(kept) / "current"
    document = json.loads(record.read_bytes())
    record.write_text(json.dumps({**document, "location": "gs://bucket/other"}))
    assert revisions.last_good() is None


def test_the_same_files_written_anew_are_the_same_revision(revisions: Revisions) -> None:
    """Its list is the new one, so that it is found without reading."""
    first = revisions.keep(project("one"), 1000.0)
    again = revisions.keep(replace(project("one"), listing="another"), 2000.0)
    assert again == replace(first, listing="another", fetched_at=2000.0)
    assert revisions.named(first.id) == again


def test_a_few_old_revisions_are_kept(revisions: Revisions) -> None:
    """The one in effect and the three newest others; halves that were left are removed."""
    kept = [revisions.keep(project(str(number)), float(number)) for number in range(6)]
    for number, revision in enumerate(kept):
        os.utime(revision.files.parent, (number, number))
    half = place_of(kept[0]) / ".0123.tmp"
    half.mkdir()
    os.utime(half, (0, 0))
    young = place_of(kept[0]) / ".4567.tmp"
    young.mkdir()
    os.utime(young, (9000, 9000))
    revisions.use(kept[0], 10_000.0)
    left = {path.name for path in place_of(kept[0]).iterdir()}
    assert left == {"current", young.name, *(kept[number].id for number in (0, 3, 4, 5))}


def test_nobody_else_may_look(revisions: Revisions, cache: Path) -> None:
    """The files hold the hashes of keys."""
    revisions.keep(project(), 1000.0)
    assert stat.S_IMODE((cache / "config").stat().st_mode) == 0o700


def test_a_volume_that_cannot_be_written_is_told(revisions: Revisions, cache: Path) -> None:
    """With the code it has everywhere."""
    cache.write_bytes(b"")
    with pytest.raises(SourceUnavailable) as raised:
        revisions.keep(project(), 1000.0)
    assert raised.value.code == "cache_not_writable"


def test_a_write_that_breaks_leaves_nothing(
    revisions: Revisions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name of a revision is only ever that of a whole one."""
    kept = revisions.keep(project("one"), 1000.0)

    def full(_path: Path, _content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_write", full)
    with pytest.raises(SourceUnavailable) as raised:
        revisions.keep(project("two"), 1000.0)
    assert raised.value.code == "disk_full"
    assert [path.name for path in place_of(kept).iterdir()] == [kept.id]
