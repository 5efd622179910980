"""Row texts are what encoding each row would give, found by position and by base row."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offloader.errors import SegmentCorrupt
from offloader.segment import build_row_texts
from offloader.segment.layout import canonical_json, pack_header, read_descriptor, verify
from offloader.segment.read import RowTexts, open_segment
from offloader.segment.row_text_spec import RowTextSpec
from offloader.segment.row_texts import find_texts
from tests.segment.row_encoding import decoded, encoded
from tests.segment.strategies import tables_with_path
from tests.segment.tables import (
    Table,
    build,
    build_files,
    column_values,
    small_steps,
    table,
    texts_of,
)


@settings(max_examples=200)
@given(drawn=tables_with_path(), small=st.booleans(), choices=st.data())
def test_row_texts_are_what_the_encoder_gives(
    drawn: tuple[Table, tuple[str, ...]], small: bool, choices: st.DataObject
) -> None:
    """For any table, path and rows, the slices equal the rows encoded one by one."""
    source, path = drawn
    specs = [texts_of(source), texts_of(source, *path)]
    with small_steps() if small else nullcontext():
        segment = build(source, [path], texts=specs, threads=2)
    expected, count = encoded(segment, specs[0]), segment.row_count
    in_base_order, in_path_order = segment.texts
    assert decoded(in_base_order.rows_of(0, count)) == expected
    found = segment.paths[0].rows(0, count)
    order = list(range(count)) if isinstance(found, slice) else found.tolist()
    ordered = [expected[row] for row in order]
    assert decoded(in_path_order.rows_of(0, count)) == ordered
    first, last = sorted(choices.draw(st.tuples(*[st.integers(0, count)] * 2)))
    assert bytes(in_path_order.slice_of(first, last)).decode() == ",".join(ordered[first:last])
    rows = choices.draw(st.lists(st.integers(0, count - 1), max_size=8) if count else st.just([]))
    picked = np.array(rows, np.uint32)
    for texts in segment.texts:
        assert decoded(texts.at_rows(picked)) == [expected[row] for row in rows]


def test_each_row_is_followed_by_a_comma(usage: Table) -> None:
    """The buffer is `row,row,…,` so that rows side by side are one slice of valid JSON."""
    segment = build(usage, texts=[texts_of(usage)])
    (texts,) = segment.texts
    assert bytes(texts.data[-2:]) == b"},"
    rows = json.loads(b"[" + bytes(texts.slice_of(1, 4)) + b"]")
    assert [row["calls_out"] for row in rows] == column_values(segment.columns["calls"])[1:4]
    assert bytes(texts.slice_of(3, 3)) == bytes(texts.slice_of(3, 2)) == b""


def test_no_row_no_text(usage: Table) -> None:
    """Row texts of a snapshot without rows are empty and can be asked for nothing."""
    empty = Table(usage.columns, (), "tenant")
    path = ("tenant", "account")
    for texts in build(empty, [path], texts=[texts_of(empty), texts_of(empty, *path)]).texts:
        assert (texts.row_count, bytes(texts.slice_of(0, 0)), texts.rows_of(0, 0)) == (0, b"", [])
        assert texts.at_rows(np.empty(0, np.uint32)) == []


def test_positions_that_do_not_exist_are_errors(usage: Table) -> None:
    """Beyond the last row there is nothing to read."""
    (texts,) = build(usage, texts=[texts_of(usage)]).texts
    with pytest.raises(IndexError):
        texts.slice_of(3, 6)
    with pytest.raises(IndexError):
        texts.at_rows(np.array([5]))


def test_base_order_needs_no_places(usage: Table) -> None:
    """Positions are stored only where they differ from base rows; nothing is copied."""
    path = ("tenant", "account", "day")
    segment = build(
        usage, [path, ("tenant",)], texts=[texts_of(usage, "tenant"), texts_of(usage, *path)]
    )
    plain, ordered = segment.texts
    assert plain.places is None
    assert ordered.places is not None
    assert ordered.places[segment.paths[0].rows(0, 5)].tolist() == [0, 1, 2, 3, 4]
    assert [texts.offsets.dtype.name for texts in segment.texts] == ["uint32", "uint32"]
    assert plain.data.readonly


def test_offsets_grow_with_the_texts(usage: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts of more bytes than 32 bits count have 64-bit offsets, and read alike."""
    before = build(usage, texts=[texts_of(usage)]).texts[0]
    limits = np.iinfo(np.uint8)
    monkeypatch.setattr(build_row_texts, "_NARROW", limits)
    after = build(usage, texts=[texts_of(usage)]).texts[0]
    assert after.offsets.dtype.name == "int64"
    assert after.rows_of(0, 5) == before.rows_of(0, 5)


def test_texts_are_found_by_aliases_and_columns(usage: Table) -> None:
    """Only texts of the very members in the very order will do."""
    spec = RowTextSpec((("a", "account"), ("b", "calls")), ())
    segment = build(usage, texts=[texts_of(usage), spec])
    found = find_texts(segment.texts, [("a", "account"), ("b", "calls")])
    assert found is segment.texts[1]
    assert (found.columns, found.sources, found.order) == (("a", "b"), ("account", "calls"), ())
    for other in ([("b", "calls"), ("a", "account")], [("a", "tenant"), ("b", "calls")], []):
        assert find_texts(segment.texts, other) is None


def _skipped(folder: Path, source: Table, limit_bytes: int, **options: Any) -> bytes:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build_row_texts, "MIN_LIMIT_BYTES", limit_bytes)
        patch.setattr(build_row_texts, "LIMIT_FACTOR", 0)
        _, targets = build_files(folder, source, texts=[texts_of(source)], **options)
    return targets.texts[0][1].read_bytes()


def test_texts_over_budget_are_left_out(tmp_path: Path) -> None:
    """A part larger than its limit becomes a small one that says what was wanted."""
    source = table("a VARCHAR", [("x" * 40,)] * 100)
    row_bytes = len('{"a_out":"",}') - 1 + 1 + 40
    exact = 100 * row_bytes + 101 * 4
    within = read_descriptor(_skipped(tmp_path / "within", source, exact))
    assert not within["skipped"]
    part = _skipped(tmp_path / "over", source, exact - 1)
    verify(part)
    head = read_descriptor(part)
    assert head["buffers"] == []
    assert (head["wanted_bytes"], head["limit_bytes"]) == (exact, exact - 1)
    columns = (tmp_path / "over/columns").read_bytes()
    segment = open_segment(columns, [part])
    assert segment.texts == ()
    (skipped,) = segment.skipped_texts
    assert (skipped.columns, skipped.wanted_bytes) == (("a_out",), exact)
    assert sorted(path.name for path in (tmp_path / "over").iterdir()) == ["columns", "texts-0"]


def test_what_is_left_out_is_the_same_for_all_builders(tmp_path: Path) -> None:
    """Threads do not show in a part that was left out, although it was not measured whole."""
    source = table("a BIGINT", [(n,) for n in range(1000)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build_row_texts, "PIECE_ROWS", 64)
        parts = [
            _skipped(tmp_path / str(threads), source, 9000, threads=threads) for threads in (1, 4)
        ]
    assert parts[0] == parts[1]
    assert read_descriptor(parts[0])["wanted_bytes"] > 9000


def test_the_limit_follows_the_columns() -> None:
    """Five times the columns' bytes, and 64 MiB in any case."""
    limits = [build_row_texts.limit_of(size << 20) for size in (0, 12, 13)]
    assert [limit >> 20 for limit in limits] == [64, 64, 65]


def test_only_missing_texts_are_built(tmp_path: Path, usage: Table) -> None:
    """New row texts are built from the parts on disk, and nothing else is written."""
    path = ("tenant", "account", "day")
    build_files(tmp_path, usage, [path])
    report, targets = build_files(
        tmp_path, usage, [path], tables=[], texts=[texts_of(usage, *path)]
    )
    new = targets.texts[0][1]
    assert report.written_bytes == {new: new.stat().st_size}
    again, _ = build_files(tmp_path, usage, [path], tables=[], texts=[texts_of(usage, *path)])
    assert again.written_bytes == {}


def test_texts_are_not_built_from_a_damaged_path(tmp_path: Path, usage: Table) -> None:
    """What is on disk is verified before anything is derived from it."""
    path = ("tenant", "account", "day")
    _, targets = build_files(tmp_path, usage, [path])
    file = targets.paths[0][1]
    damaged = bytearray(file.read_bytes())
    damaged[70] ^= 1
    file.write_bytes(damaged)
    with pytest.raises(SegmentCorrupt, match="'rows'"):
        build_files(tmp_path, usage, [path], texts=[texts_of(usage, *path)])


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"row_count": 6}, id="another segment's"),
        pytest.param({"kind": "poem"}, id="of an unknown kind"),
        pytest.param({"columns": ["tenant"]}, id="columns that are no pairs"),
        pytest.param({"skipped": None, "buffers": []}, id="texts that are missing"),
        pytest.param({"skipped": True}, id="left out, without a reason"),
    ],
)
def test_impossible_texts_are_refused(parts: dict[str, bytes], changed: dict[str, Any]) -> None:
    """A part with good checksums that is not row texts of this segment is damaged, not trusted."""
    part = parts["texts"]
    head = read_descriptor(part)
    start = int.from_bytes(part[16:24], "little")
    buffers = b"" if changed.get("buffers") == [] else part[64:start]
    raw = canonical_json({**head, **changed})
    other = pack_header(64 + len(buffers), raw) + buffers + raw
    with pytest.raises(SegmentCorrupt, match="'descriptor'"):
        open_segment(parts["columns"], [other])


def test_a_path_is_needed_for_its_order(tmp_path: Path, usage: Table) -> None:
    """Row texts cannot be in an order that the segment has no path for."""
    with pytest.raises(KeyError, match="no access path"):
        build_files(tmp_path, usage, [("tenant",)], texts=[texts_of(usage, "day")])
    assert not (tmp_path / "texts-0").exists()


def test_a_part_is_what_its_buffers_say(parts: dict[str, bytes]) -> None:
    """`offsets`, `bytes` and `places` are the whole part."""
    head = read_descriptor(parts["texts"])
    dtypes = {buffer["name"]: buffer["dtype"] for buffer in head["buffers"]}
    assert dtypes == {"bytes": "uint8", "offsets": "uint32", "places": "uint32"}
    texts = open_segment(parts["columns"], [parts["texts"]]).texts[0]
    assert isinstance(texts, RowTexts)
    with pytest.raises(IndexError):
        replace(texts, places=None).at_rows(np.array([9]))
