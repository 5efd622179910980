"""Open the store of a location: the right backend, made patient, once for each bucket or host."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from offloader.stores.access import Access
from offloader.stores.location import Location
from offloader.stores.patient import Patience, PatientStore
from offloader.stores.store import ObjectStore


class Stores:
    """Opens stores and keeps them open. Any thread may use it.

    The libraries of backends are imported when the first store of their kind is opened. `wait`
    sleeps between tries; what it raises ends the call that waits.
    """

    def __init__(
        self,
        access: Access,
        patience: Patience | None = None,
        *,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._access = access
        self._patience = patience or Patience()
        self._wait = wait
        self._open: dict[tuple[str, str], ObjectStore] = {}
        self._lock = threading.Lock()

    def at(self, location: Location) -> ObjectStore:
        """Return the store a location lies in. Nothing is asked before its first call."""
        place = (location.scheme, location.root)
        with self._lock:
            if place not in self._open:
                backend = open_backend(location, self._access)
                self._open[place] = PatientStore(backend, self._patience, wait=self._wait)
            return self._open[place]


def open_backend(location: Location, access: Access) -> ObjectStore:
    """Open the store a location lies in, which makes each call once."""
    if location.scheme == "gs":
        from offloader.stores.gcs import GcsStore

        return GcsStore.open(location.root, access)
    if location.scheme == "s3":
        from offloader.stores.s3 import S3Store

        return S3Store.open(location.root, access)
    if location.scheme == "https":
        from offloader.stores.https import HttpsStore

        return HttpsStore.open(location.root, access)
    from offloader.stores.local import LocalStore

    return LocalStore(location.root)
