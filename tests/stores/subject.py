"""A store under test, as the contract sees it, and what its rules have in common."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import ParamSpec, Protocol

import pytest

from offloader.errors import SourceUnavailable
from offloader.stores.store import ObjectStore, StoredObject

ODD_KEYS = (
    "a b/c d",
    "plus+plus",
    "percent%41",
    "hash#1",
    "what?",
    "amp&is=1",
    "ümläut/日本語",
    "semi;colon,comma",
    "quote'\"",
    "tilde~dot.",
)
Arguments = ParamSpec("Arguments")


class Subject(Protocol):
    """A store under test, and a way to change it that is not the store itself.

    `can_list` and `can_write` say what the store can do at all; `odd_keys` are keys it must take.
    """

    store: ObjectStore
    can_list: bool
    can_write: bool
    odd_keys: tuple[str, ...]

    def put(self, key: str, content: bytes) -> None:
        """Make or overwrite an object."""

    def delete(self, key: str) -> None:
        """Remove an object."""

    def elsewhere(self) -> ObjectStore | None:
        """Return a store of this kind whose bucket or folder does not exist, if there is one."""


class Watched(io.BytesIO):
    """A content that notes how much of it was asked for at once."""

    most_asked = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read, and note the size."""
        asked = len(self.getvalue()) if size is None or size < 0 else size
        self.most_asked = max(self.most_asked, asked)
        return super().read(size)


def whole(store: ObjectStore, found: StoredObject) -> bytes:
    """Read an object to its end."""
    return b"".join(store.read(found))


def part(store: ObjectStore, found: StoredObject, start: int, length: int | None = None) -> bytes:
    """Read a range."""
    return b"".join(store.read(found, start, length))


def keys(store: ObjectStore, prefix: str = "") -> list[str]:
    """List keys."""
    return [found.key for found in store.list(prefix, most=100)]


def only_if(can: bool) -> None:
    """Leave out a rule for what a store cannot do at all; its own tests say how it refuses."""
    if not can:
        pytest.skip("this store cannot do that")


def code_of(
    kind: type[SourceUnavailable],
    call: Callable[Arguments, object],
    *arguments: Arguments.args,
    **named: Arguments.kwargs,
) -> str:
    """Return the code a call raises, whose error must be of this very kind."""
    with pytest.raises(kind) as raised:
        call(*arguments, **named)
    assert type(raised.value) is kind
    return raised.value.code
