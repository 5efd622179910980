"""Rules of the worker slots: nothing is miscounted, and each slot is its own."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offloader.shared.board import BOARD_BYTES
from offloader.shared.slots import (
    BUCKETS_SECONDS,
    COUNTERS,
    MAX_COUNTED_ENDPOINTS,
    STATUSES,
    Head,
    Slots,
)

_MS = 1_000_000


@pytest.fixture
def slots() -> Iterator[Slots]:
    """Slots of two workers, closed after the test."""
    made = Slots(2)
    yield made
    made.close()


def test_a_request_is_counted_once_everywhere(slots: Slots) -> None:
    """Status, duration, rows and cache result of each request are added exactly."""
    counters = slots.counters(0)
    counters.count(3, 200, 4 * _MS, 100, "miss")
    counters.count(3, 200, 7 * _MS, 0, "hit")
    counters.count(3, 422, 1, 0, "")
    counts = slots.totals(3)
    assert list(counts.statuses()) == [("200", 2), ("422", 1)]
    assert counts.duration_seconds == 0.011000001
    assert counts.rows_scanned == 100
    assert list(counts.cache_results()) == [("hit", 1), ("miss", 1)]
    below = dict(counts.buckets())
    assert (below["0.00025"], below["0.0025"], below["0.005"]) == (1, 1, 2)
    assert (below["0.01"], below["+Inf"]) == (3, 3)


def test_each_known_status_has_its_own_counter_and_all_others_share_one(slots: Slots) -> None:
    """A status not foreseen is counted as `other`."""
    for times, status in enumerate((*STATUSES, 418), start=1):
        for _ in range(times):
            slots.counters(1).count(0, status, 0, 0, "")
    slots.counters(1).count(0, 599, 0, 0, "")
    expected = [(str(status), times) for times, status in enumerate(STATUSES, start=1)]
    assert list(slots.totals(0).statuses()) == [*expected, ("other", len(STATUSES) + 2)]


@pytest.mark.parametrize("place", range(len(BUCKETS_SECONDS)))
def test_a_duration_of_exactly_a_bound_is_within_it(slots: Slots, place: int) -> None:
    """Bounds are `le`: equal is below, one nanosecond more is not."""
    bound_ns = round(BUCKETS_SECONDS[place] * 1e9)
    slots.counters(0).count(1, 200, bound_ns, 0, "")
    slots.counters(0).count(1, 200, bound_ns + 1, 0, "")
    totals = [count for _, count in slots.totals(1).buckets()]
    assert totals == [0] * place + [1] + [2] * (len(BUCKETS_SECONDS) - place)


def test_bounds_are_named_as_prometheus_names_them(slots: Slots) -> None:
    """Every bound is there in ascending order, `+Inf` last, also when nothing was counted."""
    names = [name for name, _ in slots.totals(1).buckets()]
    assert names == [*map(str, BUCKETS_SECONDS), "+Inf"]
    assert list(map(float, names)) == sorted(map(float, names))


def test_totals_are_over_all_workers(slots: Slots) -> None:
    """One endpoint's counters are summed over the slots and over no other endpoint."""
    slots.counters(0).count(2, 200, 5, 10, "hit")
    slots.counters(1).count(2, 200, 6, 20, "hit")
    slots.counters(1).count(MAX_COUNTED_ENDPOINTS - 1, 200, 7, 40, "off")
    assert list(slots.totals(2).statuses()) == [("200", 2)]
    assert slots.totals(2).rows_scanned == 30
    assert slots.totals(MAX_COUNTED_ENDPOINTS - 1).rows_scanned == 40
    assert list(slots.totals(1).statuses()) == []


def test_counters_outlive_the_process_that_counted(slots: Slots) -> None:
    """Clearing a head forgets the process; a restarted worker counts on."""
    head = slots.head(1)
    for word in Head:
        head[word] = 5
    slots.counters(1).count(4, 200, 5, 0, "")
    slots.clear_head(1)
    assert list(slots.head(1)) == [0] * 8
    slots.counters(1).count(4, 200, 5, 0, "")
    assert list(slots.totals(4).statuses()) == [("200", 2)]


def test_heads_are_separate(slots: Slots) -> None:
    """The reloader's words and each worker's share nothing; requests in flight are summed."""
    slots.reloader()[Head.PID] = 1
    slots.head(0)[Head.IN_FLIGHT] = 2
    slots.head(1)[Head.IN_FLIGHT] = 3
    assert (slots.reloader()[Head.PID], slots.head(0)[Head.PID]) == (1, 0)
    assert slots.in_flight() == 5


def test_another_process_maps_the_same_slots(slots: Slots) -> None:
    """What is attached by descriptor reads and writes the same words and the same board."""
    other = Slots.attach(os.dup(slots.descriptor), 2)
    other.counters(1).count(9, 503, 1, 0, "")
    other.board.write(b"status")
    other.reloader()[Head.HEARTBEAT_NS] = 77
    assert list(slots.totals(9).statuses()) == [("503", 1)]
    assert slots.board.read() == b"status"
    assert slots.reloader()[Head.HEARTBEAT_NS] == 77


def test_slots_take_memory_only_where_they_were_touched(slots: Slots) -> None:
    """The size is the layout's, and untouched pages take nothing."""
    status = os.fstat(slots.descriptor)
    assert status.st_size == BOARD_BYTES + 64 + 2 * (64 + 8 * COUNTERS * MAX_COUNTED_ENDPOINTS)
    assert status.st_blocks == 0
    slots.counters(0).count(1, 200, 1, 1, "hit")
    assert os.fstat(slots.descriptor).st_blocks * 512 <= 2 * 4096


def test_no_process_can_cut_the_slots_off_under_another(slots: Slots) -> None:
    """Main reads them, so a shorter file would end it: the size is sealed."""
    for size_bytes in (0, 1 << 30):
        with pytest.raises(PermissionError):
            os.ftruncate(slots.descriptor, size_bytes)


_requests = st.tuples(
    st.integers(0, 1),
    st.sampled_from((0, 1, MAX_COUNTED_ENDPOINTS - 1)),
    st.sampled_from((*STATUSES, 299)),
    st.integers(0, 20_000_000_000),
    st.integers(0, 10**9),
    st.sampled_from(("hit", "miss", "off", "")),
)


@settings(max_examples=50)
@given(st.lists(_requests, max_size=30))
def test_any_requests_are_counted_as_a_plain_count_does(
    requests: list[tuple[int, int, int, int, int, str]],
) -> None:
    """Counters of every row equal a count of the list itself."""
    slots = Slots(2)
    for worker, row, status, duration_ns, rows, cache in requests:
        slots.counters(worker).count(row, status, duration_ns, rows, cache)
    for row in (0, 1, MAX_COUNTED_ENDPOINTS - 1):
        mine = [request for request in requests if request[1] == row]
        counts = slots.totals(row)
        named = Counter("other" if r[2] == 299 else str(r[2]) for r in mine)
        assert dict(counts.statuses()) == named
        assert counts.duration_seconds == sum(r[3] for r in mine) / 1e9
        assert counts.rows_scanned == sum(r[4] for r in mine)
        assert dict(counts.cache_results()) == Counter(r[5] for r in mine if r[5])
        below = {b: sum(1 for r in mine if r[3] <= round(b * 1e9)) for b in BUCKETS_SECONDS}
        assert dict(counts.buckets()) == {
            **{str(b): n for b, n in below.items()},
            "+Inf": len(mine),
        }
    slots.close()
