"""Rules of work in pieces: the same to the last bit, however the rows are cut."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from offloader.query import pieces
from offloader.query.pieces import apply_at, counts, distinct, sums

GROUPS = 4
_ids = arrays.arrays(np.int64, st.integers(0, 20), elements=st.integers(0, GROUPS - 1))
_doubles = st.floats(-1e300, 1e300)


@pytest.fixture(autouse=True, scope="module")
def small_pieces() -> Iterator[None]:
    """Cut even a few rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "PIECE_ROWS", 3)
        yield


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_distinct_values_ascend_and_occur_once(values: list[int]) -> None:
    """Of no value there is none."""
    assert distinct(np.array(values, np.int64)).tolist() == sorted(set(values))


@given(st.lists(st.integers(0, 255)))
def test_distinct_bytes_ascend_and_occur_once(values: list[int]) -> None:
    """They are counted, which takes less than sorting them."""
    found = distinct(np.array(values, np.uint8))
    assert found.dtype == np.uint8
    assert found.tolist() == sorted(set(values))


@given(_ids)
def test_groups_are_counted(ids: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    """Every group has a count, also one that does not occur."""
    found = counts(ids, GROUPS)
    assert found.dtype == np.int64
    assert found.tolist() == [ids.tolist().count(group) for group in range(GROUPS)]


@given(_ids, st.data())
def test_doubles_are_added_in_the_order_they_come(
    ids: np.ndarray[tuple[int], np.dtype[np.int64]], data: st.DataObject
) -> None:
    """Where a piece ends changes no bit of a sum."""
    values = data.draw(arrays.arrays(np.float64, len(ids), elements=_doubles))
    wanted = [0.0] * GROUPS
    for group, value in zip(ids.tolist(), values.tolist(), strict=True):
        wanted[group] += value
    assert sums(ids, values, GROUPS).tolist() == wanted


@given(_ids, st.data())
def test_a_function_is_applied_value_by_value(
    ids: np.ndarray[tuple[int], np.dtype[np.int64]], data: st.DataObject
) -> None:
    """Groups that no value belongs to stay as they were."""
    values = data.draw(arrays.arrays(np.int64, len(ids), elements=st.integers(-9, 9)))
    wanted, found = [0] * GROUPS, np.zeros(GROUPS, np.int64)
    for group, value in zip(ids.tolist(), values.tolist(), strict=True):
        wanted[group] = max(wanted[group], value)
    apply_at(np.maximum, found, ids, values)
    assert found.tolist() == wanted
