"""Codes of a sorted dictionary are ranks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offloader.segment import build_dictionary
from offloader.segment.dictionary import DecimalDictionary, Dictionary

WORDS = sorted([b"", b"a", b"ab", b"abc", b"b", "ä".encode(), "𝄞".encode()])


def dictionary(entries: Sequence[bytes]) -> Dictionary:
    """Make a dictionary of sorted distinct entries."""
    ends = np.cumsum([0, *map(len, entries)], dtype=np.int64)
    return Dictionary(ends, np.frombuffer(b"".join(entries), np.uint8))


def buffers_of(entries: Sequence[bytes]) -> list[npt.NDArray[Any]]:
    """Return the buffers that a build writes for sorted distinct texts."""
    texts = pa.array([entry.decode() for entry in entries], pa.large_string())
    return [array for _, array in build_dictionary.dictionary_buffers(texts)]


def indexed(entries: Sequence[bytes]) -> Dictionary:
    """Make the dictionary that a build makes of sorted distinct texts."""
    return Dictionary(*buffers_of(entries))


def decimals(entries: Sequence[int]) -> DecimalDictionary:
    """Make a decimal dictionary of sorted distinct numbers."""
    raw = b"".join(n.to_bytes(16, "little", signed=True) for n in entries)
    return DecimalDictionary(np.frombuffer(raw, np.uint8))


def test_text_and_code_are_each_others_inverse() -> None:
    """Every entry is found under its own code, and nothing else is found."""
    found = dictionary(WORDS)
    assert [found.find(word) for word in WORDS] == list(range(7))
    assert [found.text(code) for code in range(7)] == [word.decode() for word in WORDS]
    assert found.texts(np.array([6, 0, 1], np.uint8)) == ["𝄞", "", "a"]
    assert [found.find(word) for word in (b"aa", b"zz", b"\xff")] == [-1, -1, -1]


@pytest.mark.parametrize("code", [-1, 7, 2**40])
def test_a_code_outside_is_an_index_error(code: int) -> None:
    """There is no wrapping around to the last entry."""
    with pytest.raises(IndexError):
        dictionary(WORDS).text(code)
    with pytest.raises(IndexError):
        decimals([1]).unscaled(code)


def test_an_empty_dictionary_finds_nothing() -> None:
    """A column of nulls has a dictionary of no entries."""
    found = dictionary([])
    assert (len(found), found.find(b"a"), found.prefix_range(b""), found.upper_bound(b"")) == (
        0,
        -1,
        (0, 0),
        0,
    )
    assert (len(decimals([])), decimals([]).find(0)) == (0, -1)


@given(
    entries=st.sets(st.text(alphabet="ab\x7fé\U0010ffff", max_size=4)),
    asked=st.text(alphabet="ab\x7fé\U0010ffff", max_size=3),
)
def test_bounds_and_prefixes_equal_a_scan(entries: set[str], asked: str) -> None:
    """Bounds split the entries like comparing bytes does, prefixes like `startswith`."""
    words, text = sorted(entry.encode() for entry in entries), asked.encode()
    found = dictionary(words)
    assert found.lower_bound(text) == sum(word < text for word in words)
    assert found.upper_bound(text) == sum(word <= text for word in words)
    expected = [code for code, word in enumerate(words) if word.startswith(text)]
    assert list(range(*found.prefix_range(text))) == expected


@given(entries=st.sets(st.text(max_size=4), min_size=64, max_size=80), other=st.text(max_size=4))
def test_a_hash_table_finds_what_is_there_and_nothing_else(entries: set[str], other: str) -> None:
    """From 64 texts on a dictionary has one; bounds and prefixes do not need it."""
    words = sorted(entry.encode() for entry in entries)
    found = indexed(words)
    assert [found.find(word) for word in words] == list(range(len(words)))
    text = other.encode()
    assert found.find(text) == (words.index(text) if text in words else -1)
    assert found.lower_bound(text) == sum(word < text for word in words)


@pytest.mark.parametrize(("count", "suffixes"), [(63, 2), (64, 4), (80, 4), (81, 2)])
def test_few_texts_and_very_many_have_no_hash_table(
    monkeypatch: pytest.MonkeyPatch, count: int, suffixes: int
) -> None:
    """Few are found as fast without; hashing very many would hold up the build."""
    monkeypatch.setattr(build_dictionary, "MAX_INDEXED_TEXTS", 80)
    words = [f"{number:03d}".encode() for number in range(count)]
    assert len(buffers_of(words)) == suffixes
    assert [indexed(words).find(word) for word in words] == list(range(count))


def test_a_prefix_of_the_greatest_bytes_has_no_successor() -> None:
    """A prefix of 0xff bytes reaches to the end of the dictionary."""
    found = dictionary([b"a", b"\xfe", b"\xff", b"\xff\xff", b"\xff\xffa"])
    assert found.prefix_range(b"\xff") == (2, 5)
    assert found.prefix_range(b"\xff\xff") == (3, 5)


def test_decimals_are_ordered_as_numbers() -> None:
    """Negative numbers come first, 38 digits are exact, and any integer can be asked for."""
    numbers = [-(10**38 - 1), -1, 0, 1, 10**38 - 1]
    found = decimals(numbers)
    assert [found.unscaled(code) for code in range(5)] == numbers
    assert found.unscaled_all(np.array([4, 0], np.uint8)) == [10**38 - 1, -(10**38 - 1)]
    assert [found.find(n) for n in (-1, 2, 10**50)] == [1, -1, -1]
    assert (found.lower_bound(0), found.upper_bound(0), found.upper_bound(10**50)) == (2, 3, 5)
