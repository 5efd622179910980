"""What the sizing measures is what the kernel says, and segments are left out of it."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

from dev.bench.footprint import BuilderWatch, Footprint, Own, own_of
from offloader.shared.memory import map_sealed, memory_of

SIZE_BYTES = 32 << 20


def test_memory_of_a_segment_is_not_a_processs_own() -> None:
    """Pages of a sealed memory file count for nobody; any other memory does."""
    before = own_of(os.getpid())
    assert before.private > 0
    assert before.pss >= before.private
    descriptor = memory_of("offloader-usage", bytes(SIZE_BYTES))
    try:
        with map_sealed(descriptor) as mapping:
            assert sum(memoryview(mapping)[::4096]) == 0  # every page is read
            with_segment = own_of(os.getpid())
            with mmap.mmap(-1, SIZE_BYTES, flags=mmap.MAP_PRIVATE) as other:
                other[:] = b"1" * SIZE_BYTES
                with_other = own_of(os.getpid())
    finally:
        os.close(descriptor)
    assert abs(with_segment.pss - before.pss) < SIZE_BYTES // 2
    assert with_other.private - with_segment.private > 0.9 * SIZE_BYTES


def test_all_processes_together() -> None:
    """Shares add up to what they take."""
    assert Footprint(Own(3, 4), Own(2, 3), (Own(1, 2), Own(1, 2))).together == 11


def test_only_builders_of_the_cache_are_looked_at(tmp_path: Path) -> None:
    """No builder of this cache lives: others of the machine do not count."""
    watch = BuilderWatch(tmp_path)
    watch.look()
    assert watch.peak_bytes == 0
