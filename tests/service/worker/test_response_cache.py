"""Rules of the response cache: bounded in bytes, the least recently used go first."""

from __future__ import annotations

import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest

from offloader.service.worker.response_cache import ENTRY_BYTES, Kept, ResponseCache

OWNER = ("usage", "tenant_0")
ENTRY = 100 + ENTRY_BYTES  # what one of these bodies counts for


def kept(body: bytes = b"x" * 100) -> Kept:
    """Return a body as it is kept."""
    return Kept(body, "application/json", "")


def tag(number: int) -> str:
    """Return an ETag."""
    return f'"{number:032x}"'


def cache_of(limit_bytes: int) -> ResponseCache:
    """Return an empty cache in its first generation, of the snapshots `old` and `new`."""
    cache = ResponseCache(limit_bytes)
    cache.begin_generation(1, {"old", "new"})
    return cache


def filled(entries: int, places: int = 10) -> ResponseCache:
    """Return a cache with room for `places` bodies that holds the numbers below `entries`."""
    cache = cache_of(places * ENTRY)
    for number in range(entries):
        cache.put(tag(number), OWNER, "old", kept())
    return cache


def held(cache: ResponseCache) -> list[int]:
    """Return the numbers that are held, the least recently used first."""
    return [int(etag[1:-1], 16) for etag in cache._entries]


def test_what_was_put_is_got_with_its_type_and_coding() -> None:
    """The same object, under its ETag and under no other."""
    cache = cache_of(1 << 20)
    body = Kept(b"small", "text/csv", "gzip")
    cache.put(tag(1), OWNER, "new", body)
    assert cache.get(tag(1), OWNER) is body
    assert cache.get(tag(2), OWNER) is None
    assert (len(cache), cache.size_bytes) == (1, 5 + ENTRY_BYTES)


def test_one_owner_never_gets_what_another_put() -> None:
    """Not even under the same ETag: a tenant may make its own collide with another's."""
    cache = cache_of(1 << 20)
    cache.put(tag(1), OWNER, "new", kept())
    for other in (("usage", "tenant_1"), ("usage", None), ("other", "tenant_0")):
        assert cache.get(tag(1), other) is None


def test_the_least_recently_used_make_room() -> None:
    """Getting and putting anew both count as use."""
    cache = filled(10)
    assert cache.size_bytes == cache.limit_bytes
    cache.get(tag(0), OWNER)
    cache.put(tag(1), OWNER, "old", kept())
    cache.put(tag(10), OWNER, "old", kept())
    assert held(cache) == [3, 4, 5, 6, 7, 8, 9, 0, 1, 10]
    cache.put(tag(11), OWNER, "old", kept(b"x" * (100 + ENTRY_BYTES // 4)))
    assert held(cache) == [5, 6, 7, 8, 9, 0, 1, 10, 11]
    assert cache.size_bytes == 9 * ENTRY + ENTRY_BYTES // 4


def test_what_is_put_again_is_counted_once() -> None:
    """The newer body stays."""
    cache = filled(1)
    cache.put(tag(0), OWNER, "old", kept(b"y"))
    assert cache.get(tag(0), OWNER) == kept(b"y")
    assert (len(cache), cache.size_bytes) == (1, 1 + ENTRY_BYTES)


@pytest.mark.parametrize(("size_bytes", "is_kept"), [(1000, True), (1001, False)])
def test_a_body_larger_than_an_eighth_of_the_limit_is_not_kept(
    size_bytes: int, is_kept: bool
) -> None:
    """One large answer does not drive out all small ones."""
    cache = cache_of(8 * (1000 + ENTRY_BYTES))
    cache.put(tag(1), OWNER, "old", kept(b"x" * size_bytes))
    assert (cache.get(tag(1), OWNER) is not None) == is_kept


def test_a_limit_of_zero_keeps_nothing() -> None:
    """It says that it is off, so that answers can say so."""
    cache = cache_of(0)
    cache.put(tag(1), OWNER, "old", kept(b""))
    assert (cache.is_on, len(cache), cache.get(tag(1), OWNER)) == (False, 0, None)
    assert cache_of(1).is_on


def test_a_generation_drops_what_is_no_longer_served() -> None:
    """Bodies of snapshots that go on stay, with their places; late ones are not kept."""
    cache = filled(2)
    cache.put(tag(7), OWNER, "new", kept())
    cache.begin_generation(2, {"new", "newer"})
    assert (held(cache), cache.size_bytes, cache.number) == ([7], ENTRY, 2)
    cache.put(tag(8), OWNER, "old", kept())
    cache.put(tag(9), OWNER, "newer", kept())
    assert held(cache) == [7, 9]


def test_a_request_of_an_older_generation_changes_nothing() -> None:
    """What is served now was decided by the newest generation that was seen."""
    cache = filled(2)
    cache.begin_generation(3, {"old"})
    cache.begin_generation(2, {"new"})
    assert (held(cache), cache.number) == ([0, 1], 3)


def test_before_the_first_generation_nothing_is_kept() -> None:
    """No snapshot is served yet."""
    cache = ResponseCache(1 << 20)
    cache.put(tag(1), OWNER, "old", kept())
    assert len(cache) == 0


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="counts CPython's objects")
@pytest.mark.parametrize("entries", [300, 1400, 20_000])
def test_what_is_counted_is_at_least_what_is_taken(entries: int) -> None:
    """With bodies so small that they hardly count, and an owner for each."""
    cache = cache_of(1 << 30)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(entries):
            owner = (f"endpoint_{number}", f"tenant_{number}")
            cache.put(tag(number), owner, "old", kept(bytes([number % 256]) * 10))
        taken_bytes = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert 0.6 * cache.size_bytes < taken_bytes <= cache.size_bytes


def test_threads_that_put_while_another_gets_keep_the_count_right() -> None:
    """Whatever is dropped in between, the bytes are those of what is there."""
    cache = filled(0, places=20)

    def work(start: int) -> None:
        for number in range(3000):
            cache.put(tag((start + number) % 50), OWNER, "old", kept())
            cache.get(tag((7 * number) % 50), OWNER)
            if number % 500 == 0:
                cache.begin_generation(start + number, {"old"})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, (2, 11, 23, 37)))
    assert len(cache) == 20
    assert cache.size_bytes == 20 * ENTRY
