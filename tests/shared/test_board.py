"""Rules of the board: a reader has a whole document or none, whatever the writer suffers."""

from __future__ import annotations

import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from offloader.shared.board import BOARD_BYTES, Board

MOST_BYTES = BOARD_BYTES // 2 - 64 - 24
_SECOND_HALF = 64 + BOARD_BYTES // 2 - 64


def blank() -> tuple[bytearray, Board]:
    """Return a board's memory and a board over it."""
    memory = bytearray(BOARD_BYTES)
    return memory, Board(memoryview(memory))


def test_a_board_is_empty_before_the_first_document() -> None:
    """Nothing written reads as no bytes."""
    assert blank()[1].read() == b""


def test_a_reader_sees_the_newest_document() -> None:
    """Each write replaces the one before, longer or shorter; other views see it too."""
    memory, board = blank()
    reader = Board(memoryview(memory))
    for document in (b"first, the longest", b"second", b"", b"fourth"):
        board.write(document)
        assert reader.read() == document


def test_a_writer_killed_before_the_flip_leaves_the_document_before() -> None:
    """The other half may hold anything: it is not current."""
    memory, board = blank()
    board.write(b"whole")  # the second half is now current
    memory[64 : 64 + 100] = b"\xff" * 100
    assert board.read() == b"whole"
    board.write(b"next")
    assert board.read() == b"next"


def test_a_half_that_was_torn_reads_as_nothing() -> None:
    """A reader never returns bytes that differ from their checksum."""
    memory, board = blank()
    board.write(b"whole")
    memory[_SECOND_HALF + 24] ^= 1
    assert board.read() == b""


def test_a_length_beyond_the_half_reads_as_nothing() -> None:
    """A torn length is not followed out of the half."""
    memory, board = blank()
    board.write(b"whole")
    memory[_SECOND_HALF : _SECOND_HALF + 8] = (MOST_BYTES + 1).to_bytes(8, "little")
    assert board.read() == b""


def test_a_reader_that_was_overtaken_reads_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that changed under the reader is dropped, and the newest document returned."""
    memory, board = blank()
    board.write(b"one")
    real, overtaking = xxhash.xxh3_128_digest, [b"two", b"three"]

    def overtaken(document: bytes) -> bytes:
        if document == b"one" and overtaking:
            monkeypatch.setattr(xxhash, "xxh3_128_digest", real)
            Board(memoryview(memory)).write(b"two")
            Board(memoryview(memory)).write(b"three")
            return b"the bytes changed meanwhile"
        return real(document)

    monkeypatch.setattr(xxhash, "xxh3_128_digest", overtaken)
    assert board.read() == b"three"


def test_a_document_that_does_not_fit_is_refused_and_changes_nothing() -> None:
    """The greatest document fits; one byte more does not."""
    _, board = blank()
    greatest = b"g" * MOST_BYTES
    board.write(greatest)
    too_large = r"a status of \d+ bytes does not fit the board"
    with pytest.raises(ValueError, match=too_large):
        board.write(greatest + b"g")
    assert board.read() == greatest


def test_a_spoilt_current_word_does_not_stop_the_writer() -> None:
    """Whatever the word holds, the next document is readable."""
    memory, board = blank()
    memory[0:8] = b"\xff" * 8
    board.write(b"again")
    assert board.read() == b"again"


@settings(max_examples=60)
@given(st.lists(st.tuples(st.binary(max_size=300), st.binary(max_size=60)), max_size=8))
def test_after_any_writes_and_killed_writes_the_last_whole_one_is_read(
    steps: list[tuple[bytes, bytes]],
) -> None:
    """Each step writes a document whole, then a killed writer's bytes into the other half."""
    memory, board = _REUSED
    expected = board.read()
    for document, debris in steps:
        board.write(document)
        expected = document
        other = 1 - memory[0]
        start = 64 if other == 0 else _SECOND_HALF
        memory[start : start + len(debris)] = debris
        assert board.read() == expected


_REUSED = blank()
