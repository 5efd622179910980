"""Rules of the quarantine: reasons beside everything, few parts, marks that only a person lifts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from offloader.errors import SourceUnavailable
from offloader.service.cache import Cache, write_whole
from offloader.service.quarantine import (
    MAX_REASON,
    Mark,
    lift,
    mark,
    marks,
    put_away,
    put_away_parts,
    quarantined_parts,
)
from tests.service.volumes import digest, names, prepared

FIRST = Mark("s1", digest(1), "wrong numbers", "a1b2", 1_780_000_000.5)
SECOND = Mark("s2", digest(2), "worse numbers", "command line", 1_780_000_001.0)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return prepared(tmp_path / "cache")


def made(cache: Cache, *numbers: int) -> list[str]:
    """Write parts and return their ids."""
    for number in numbers:
        write_whole(cache.part("usage", digest(number)), b"damaged")
    return [digest(number) for number in numbers]


def test_marks_are_kept_until_they_are_lifted(cache: Cache) -> None:
    """Oldest first, by dataset; lifting tells whether there was one."""
    mark(cache, "usage", SECOND)
    mark(cache, "usage", FIRST)
    mark(cache, "other", FIRST)
    assert marks(cache, "usage") == (FIRST, SECOND)
    assert names(cache.quarantine_of("usage")) == {f"{digest(n)}.snapshot" for n in (1, 2)}
    assert lift(cache, "usage", digest(1)) is True
    assert lift(cache, "usage", digest(1)) is False
    assert marks(cache, "usage") == (SECOND,)
    assert marks(cache, "other") == (FIRST,)
    assert marks(cache, "unknown") == ()


def test_marking_again_takes_the_new_reason(cache: Cache) -> None:
    """A reason is one line of at most 500 characters."""
    mark(cache, "usage", FIRST)
    mark(cache, "usage", Mark("s1", digest(1), " a\nb\x1b[2J " + "x" * 600, "by", 2.0))
    (found,) = marks(cache, "usage")
    assert found.reason == ("a b [2J " + "x" * 600)[:MAX_REASON]
    assert found.at == 2.0
    raw = (cache.quarantine_of("usage") / f"{digest(1)}.snapshot").read_bytes()
    assert json.loads(raw)["reason"] == found.reason


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"at": "x"}', b"\xff", b"[" * 9999])
def test_a_mark_that_cannot_be_read_still_keeps_its_snapshot_away(
    cache: Cache, content: bytes
) -> None:
    """Its name says which snapshot it is."""
    write_whole(cache.quarantine_of("usage") / f"{digest(1)}.snapshot", content)
    assert marks(cache, "usage") == (Mark("", digest(1), "the mark cannot be read", "", 0.0),)
    assert lift(cache, "usage", digest(1)) is True


@pytest.mark.parametrize(("dataset", "name"), [("..", digest(1)), ("usage", "../x"), ("usage", "")])
def test_no_name_leads_out_of_the_folder(cache: Cache, dataset: str, name: str) -> None:
    """Ids that are none are refused; parts of such a name are passed over."""
    with pytest.raises(ValueError, match="expected"):
        mark(cache, dataset, Mark("s1", name, "reason", "by", 0.0))
    with pytest.raises(ValueError, match="expected"):
        lift(cache, dataset, name)
    outside = cache.root / "segments" / "x"
    outside.write_text("another's")
    assert put_away(cache, dataset, [name], "reason", 0.0) == ()
    assert outside.exists()


def test_a_mark_that_cannot_be_written_is_a_transient_failure(cache: Cache) -> None:
    """The error is that of the volume."""
    cache.quarantine_of("usage").write_text("in the way")
    with pytest.raises(SourceUnavailable, match="cache_not_writable"):
        mark(cache, "usage", FIRST)
    assert marks(cache, "usage") == ()
    assert quarantined_parts(cache, "usage") == 0


def test_parts_are_put_away_with_reason_and_time(cache: Cache) -> None:
    """They are gone from their place, so they are built again, and can be looked at."""
    ids = made(cache, 1, 2)
    assert put_away(cache, "usage", [*ids, digest(3)], "section 'x'\ndiffers", 9.9) == tuple(ids)
    assert names(cache.part("usage", "x").parent) == set()
    assert quarantined_parts(cache, "usage") == 2
    assert quarantined_parts(cache, "other") == 0
    first, _ = put_away_parts(cache, "usage")
    assert (first.part_id, first.at, first.size_bytes) == (digest(1), 9, 7)
    assert first.reason == "section 'x' differs"
    assert first.path.read_bytes() == b"damaged"
    assert first.path.with_name(f"{digest(1)}.9.reason").read_text() == "section 'x' differs\n"


def test_the_newest_five_parts_stay(cache: Cache) -> None:
    """Older ones go with their reasons; marks stay, and so do other datasets' parts."""
    mark(cache, "usage", FIRST)
    write_whole(cache.part("other", digest(1)), b"damaged")
    put_away(cache, "other", [digest(1)], "reason", 0.0)
    for number in range(7):
        put_away(cache, "usage", made(cache, number), "reason", float(number))
    assert [part.at for part in put_away_parts(cache, "usage")] == [2, 3, 4, 5, 6]
    assert len(names(cache.quarantine_of("usage"))) == 5 * 2 + 1
    assert marks(cache, "usage") == (FIRST,)
    assert quarantined_parts(cache, "other") == 1


def test_a_part_that_cannot_be_put_away_is_removed(cache: Cache) -> None:
    """Whatever the quarantine is, a damaged part is not loaded again."""
    cache.quarantine_of("usage").write_text("in the way")
    (part_id,) = made(cache, 1)
    assert put_away(cache, "usage", [part_id], "reason", 0.0) == (part_id,)
    assert not cache.part("usage", part_id).exists()
    assert put_away(cache, "usage", [part_id], "reason", 0.0) == ()


def test_of_a_link_the_link_is_removed(cache: Cache, tmp_path: Path) -> None:
    """What it leads to is not ours, and stays."""
    target = tmp_path / "file"
    target.write_text("another's")
    made(cache, 1)
    cache.part("usage", digest(2)).symlink_to(target)
    assert put_away(cache, "usage", [digest(2)], "reason", 0.0) == (digest(2),)
    assert names(cache.part("usage", "x").parent) == {digest(1)}
    assert target.read_text() == "another's"
    assert not cache.quarantine_of("usage").exists()
