"""A store that counts what is read of it, and fails when it is told to."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event, Lock

from offloader.stores.access import Access
from offloader.stores.local import LocalStore
from offloader.stores.location import Location
from offloader.stores.open import Stores
from offloader.stores.store import ObjectStore, StoredObject


class CountedStore(LocalStore):
    """The files of a folder. `ranges` are (key, start, bytes) of every read, `error` ends each.

    Reads wait for `gate`.
    """

    def __init__(self, root: str = "/") -> None:
        super().__init__(root)
        self.ranges: list[tuple[str, int, int]] = []
        self.error: Exception | None = None
        self.gate = Event()
        self.gate.set()
        self._lock = Lock()

    @property
    def bytes_read(self) -> int:
        """The bytes of all reads."""
        return sum(length for _, _, length in self.ranges)

    def read(
        self, found: StoredObject, start: int = 0, length: int | None = None
    ) -> Iterator[bytes]:
        """Read as the folder does, and take note of it."""
        self.gate.wait(30)
        if self.error is not None:
            raise self.error
        with self._lock:
            self.ranges.append((found.key, start, found.size_bytes if length is None else length))
        return super().read(found, start, length)


class CountedStores(Stores):
    """Opens one counted store, whatever the location."""

    def __init__(self) -> None:
        super().__init__(Access())
        self.store = CountedStore()

    def at(self, location: Location) -> ObjectStore:  # noqa: ARG002
        """Return the counted store."""
        return self.store
