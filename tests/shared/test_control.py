"""Rules of the control block."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offloader.shared.control import SIZE_BYTES, ControlBlock, ControlReader, Word


@pytest.fixture
def control() -> Iterator[ControlBlock]:
    """A control block, closed after the test."""
    block = ControlBlock()
    yield block
    block.close()


def test_a_reader_sees_the_committed_number_at_once(control: ControlBlock) -> None:
    """A reader that mapped before the store sees the number after it."""
    reader = ControlReader(control.descriptor)
    assert reader.generation() == 0
    control[Word.GENERATION] = 7
    assert reader.generation() == 7


def test_every_word_is_independent(control: ControlBlock) -> None:
    """A word holds any unsigned 64-bit number and changes no other word."""
    reader = ControlReader(control.descriptor)
    for word in Word:
        control[word] = 2**64 - 1 - word
    assert [reader[word] for word in Word] == [2**64 - 1 - word for word in Word]
    control[Word.IS_DRAINING] = 0
    expected = [2**64 - 1 - word for word in Word]
    expected[Word.IS_DRAINING] = 0
    assert [reader[word] for word in Word] == expected


def test_a_word_is_eight_aligned_bytes_in_native_order(control: ControlBlock) -> None:
    """The generation is the first word, and each next one is eight bytes on."""
    control[Word.GENERATION] = 0x0102030405060708
    control[Word.RELOADER_RESTARTS] = 9
    raw = os.pread(control.descriptor, SIZE_BYTES, 0)
    assert raw[:8] == b"\x08\x07\x06\x05\x04\x03\x02\x01"
    assert raw[8 * Word.RELOADER_RESTARTS : 8 * Word.RELOADER_RESTARTS + 8] == b"\x09" + bytes(7)
    assert len(raw) == 4096


def test_adding_counts(control: ControlBlock) -> None:
    """`add` counts one, or as many as it is told."""
    control.add(Word.WORKER_RESTARTS)
    control.add(Word.WORKER_RESTARTS, 4)
    assert control[Word.WORKER_RESTARTS] == 5
    assert control[Word.RELOADER_RESTARTS] == 0


def test_a_reader_cannot_store(control: ControlBlock) -> None:
    """The reader's view is read-only, and its type has no way to store."""
    reader = ControlReader(control.descriptor)
    with pytest.raises(TypeError, match="cannot modify read-only memory"):
        reader._words[Word.GENERATION] = 1
    with pytest.raises(TypeError, match="does not support item assignment"):
        reader[Word.GENERATION] = 1  # type: ignore[index]


@given(st.integers(max_value=-1) | st.integers(min_value=2**64))
def test_a_number_that_is_no_word_is_refused(number: int) -> None:
    """What does not fit eight bytes is an error and stores nothing."""
    control = ControlBlock()
    with pytest.raises(ValueError, match="invalid value for format 'Q'"):
        control[Word.GENERATION] = number
    assert control.generation() == 0
    control.close()
