"""Small objects: read whole and verified, never more than is allowed."""

from __future__ import annotations

import pytest

from offloader.stores.download import ObjectTooLarge, read_found, read_whole
from offloader.stores.store import ObjectChanged, ObjectMissing, StoredObject, StoreFailed
from tests.stores.held_store import HeldStore, as_asked

CONTENT = bytes(range(250)) * 40


def flipped(content: bytes) -> bytes:
    return bytes([content[0] ^ 1]) + content[1:]


def test_a_small_object_is_read_whole() -> None:
    """With what was found of it, up to its last byte."""
    store = HeldStore({"k": CONTENT})
    assert read_whole(store, "k", len(CONTENT)) == (store.stat("k"), CONTENT)
    assert read_whole(HeldStore({"k": b""}), "k", 0)[1] == b""
    with pytest.raises(ObjectMissing):
        read_whole(store, "other", 1)


def test_what_is_too_large_is_not_read() -> None:
    """Its size tells enough."""
    store = HeldStore({"k": CONTENT})
    with pytest.raises(ObjectTooLarge) as caught:
        read_whole(store, "k", len(CONTENT) - 1)
    assert caught.value.message == "held://store/k has 10000 bytes, at most 9999 are read"
    assert store.reads == []


@pytest.mark.parametrize(("overwrites", "is_read"), [(2, True), (3, False)])
def test_a_small_object_that_is_overwritten_is_looked_up_again(
    overwrites: int, is_read: bool
) -> None:
    """A pointer may be replaced at any moment; one that never stays is told, not followed."""
    store, stat = HeldStore({"k": CONTENT}), HeldStore.stat
    contents = [bytes([number]) for number in range(overwrites)]

    def overwritten(key: str) -> StoredObject:
        found = stat(store, key)
        if contents:
            store.objects["k"] = contents.pop(0)
        return found

    store.stat = overwritten  # type: ignore[method-assign]
    if is_read:
        assert read_whole(store, "k", 10_000)[1] == b"\1"
    else:
        with pytest.raises(ObjectChanged):
            read_whole(store, "k", 10_000)


def test_a_small_object_is_verified() -> None:
    """By its length and by the store's checksum."""
    store = HeldStore({"k": CONTENT}, lambda found, at, c: as_asked(found, at, flipped(c)))
    with pytest.raises(StoreFailed) as caught:
        read_found(store, store.stat("k"), 10_000)
    assert caught.value.code == "object_checksum_differs"
    store.answer = lambda found, at, c: as_asked(found, at, c[:-1])
    with pytest.raises(StoreFailed) as caught:
        read_found(store, store.stat("k"), 10_000)
    assert caught.value.code == "object_cut_short"
