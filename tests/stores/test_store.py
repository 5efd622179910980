"""What all stores share: ranges, bodies of the right length, names without secrets."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from offloader.errors import SourceUnavailable
from offloader.stores import store
from offloader.stores.store import READ_BYTES, StoredObject, StoreFailed, exactly, range_bytes

FOUND = StoredObject("key", 100, "1", 0.0)


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [(0, None, 100), (40, None, 60), (40, 10, 10), (40, 61, 60), (100, 1, 0), (999, None, 0)],
)
def test_a_range_ends_where_the_object_does(start: int, length: int | None, expected: int) -> None:
    """A range is clipped at the object's end, as a file's is."""
    assert range_bytes(FOUND, start, length) == expected


@pytest.mark.parametrize(("start", "length"), [(-1, None), (0, -1)])
def test_a_range_is_not_negative(start: int, length: int) -> None:
    """A range before the object is a fault of the caller."""
    with pytest.raises(ValueError, match="begins at 0 or later"):
        range_bytes(FOUND, start, length)


def test_large_chunks_are_divided() -> None:
    """A backend may hand out chunks of any size; none is passed on larger than READ_BYTES."""
    chunks = list(exactly([bytes(2 * READ_BYTES + 1), b"x"], 2 * READ_BYTES + 2, "u", "k"))
    assert [len(chunk) for chunk in chunks] == [READ_BYTES, READ_BYTES, 1, 1]


def test_a_body_has_exactly_its_bytes() -> None:
    """A body that is short or long fails; of one that is too long nothing wrong is passed on."""
    short = exactly([b"123"], 5, "gs://b", "k")
    assert next(short) == b"123"
    with pytest.raises(StoreFailed, match="ended 2 bytes too early"):
        next(short)
    overlong = exactly([b"123", b"456"], 5, "gs://b", "k")
    assert next(overlong) == b"123"
    with pytest.raises(StoreFailed, match="longer than the 5 bytes"):
        next(overlong)


@pytest.mark.parametrize("make", [store.missing, store.changed, store.exists, store.wrong_range])
def test_no_error_tells_a_query(make: Callable[[str, str], SourceUnavailable]) -> None:
    """The query of an https key may be a signature; in a bucket `?` is a sign like any other."""
    assert "https://host/a/b" in str(make("https://host", "a/b?sig=secret"))
    assert "secret" not in str(make("https://host", "a/b?sig=secret"))
    assert "gs://b/a?b" in str(make("gs://b", "a?b"))
