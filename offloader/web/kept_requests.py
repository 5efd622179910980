"""What is kept of requests by their bytes, so that one that comes again is not read again."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

# About a kilobyte each.
KEPT_REQUESTS = 16_384
MAX_KEPT_REQUEST_BYTES = 512

Found = TypeVar("Found")


class KeptRequests(Generic[Found]):
    """Up to 16,384 requests of at most 512 bytes; the oldest goes first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, Found] = OrderedDict()
        self.get = self._kept.get

    def keep(self, data: bytes, found: Found) -> None:
        """Keep what was found of a request, unless that is a long one."""
        if len(data) <= MAX_KEPT_REQUEST_BYTES:
            self._kept[data] = found
            if len(self._kept) > KEPT_REQUESTS:
                self._kept.popitem(last=False)
