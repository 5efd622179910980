"""The workers that are connected to main: what each was told, and what it says of itself.

Nothing here waits: what a worker's socket does not take now is told later, so that one worker that
hangs delays nobody.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from offloader.service.main.offers import Offer
from offloader.service.main.part_store import PartStore
from offloader.shared.attach import MAX_DESCRIPTORS, send_now
from offloader.shared.slots import Head

# Keys of 32 to 45 characters: a quarter of what a packet holds.
_KEYS_A_PACKET = 256


@dataclass(slots=True, eq=False)
class Peer:
    """One connected worker; `head` is its own memory, `failures` is by generation.

    `keys` are the parts it was sent, `told` the generations; `leaving` are parts it was told to
    forget and may map still. `is_behind` says that its socket did not take everything, `is_slow`
    that it did not let go of parts in time.
    """

    connection: socket.socket
    pid: int
    head: memoryview
    keys: set[str] = field(default_factory=set)
    told: set[int] = field(default_factory=set)
    leaving: set[str] = field(default_factory=set)
    attached: int = 0
    failures: dict[int, str] = field(default_factory=dict)
    is_behind: bool = False
    is_slow: bool = False

    def lowest_in_use(self) -> int:
        """Return the oldest generation a long request of this worker reads, 0 for none."""
        return self.head[Head.LOWEST_IN_USE]

    def is_awaited(self, number: int) -> bool:
        """Tell whether this worker has not answered yet what came of a generation."""
        return self.attached < number and number not in self.failures

    def has(self, keys: Collection[str]) -> bool:
        """Tell whether this worker may map any of these parts."""
        return not self.keys.union(self.leaving).isdisjoint(keys)

    def note_forgotten(self, keys: Iterable[str]) -> None:
        """Note that it let go of parts."""
        self.leaving.difference_update(keys)
        self.is_slow = False

    def update(
        self,
        held: Mapping[int, Offer],
        committed: int,
        store: PartStore,
        reserve: Collection[str] = (),
    ) -> None:
        """Tell what is new since the last time: generations that are gone, and those to attach.

        `reserve` are the parts of earlier snapshots that it may map; others it is told to forget.
        """
        needed = {key for offer in held.values() for key in offer.keys}
        needed.update(key for offer in held.values() for key in offer.kept if key in reserve)
        self.is_behind = False
        with suppress(OSError):  # it is gone, and its thread will hear of it
            gone = self._forget(held, needed)
            self.is_behind = not (gone and self._offer(held, committed, store, needed))

    def kill(self) -> None:
        """End the process; it comes back and attaches what is committed then."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def _forget(self, held: Mapping[int, Offer], needed: Collection[str]) -> bool:
        numbers = sorted(self.told.difference(held))
        if numbers:
            if not send_now(self.connection, {"drop": numbers}):
                return False
            self.told.difference_update(numbers)
        for keys in _pieces(sorted(self.keys.difference(needed)), _KEYS_A_PACKET):
            if not send_now(self.connection, {"forget": keys}):
                return False
            self.keys.difference_update(keys)
            self.leaving.update(keys)
        return True

    def _offer(
        self,
        held: Mapping[int, Offer],
        committed: int,
        store: PartStore,
        needed: Collection[str],
    ) -> bool:
        for number in sorted(held):
            if number >= committed and number not in self.told:
                if not self._send_offer(held[number], store, needed):
                    return False
                self.told.add(number)
        return True

    def _send_offer(self, offer: Offer, store: PartStore, needed: Collection[str]) -> bool:
        wanted = dict.fromkeys((*offer.keys, *(key for key in offer.kept if key in needed)))
        missing = [key for key in wanted if key not in self.keys]
        for keys in _pieces(missing, MAX_DESCRIPTORS):
            descriptors = [store[key].descriptor for key in keys]
            if not send_now(self.connection, {"parts": keys}, descriptors):
                return False
            self.keys.update(keys)
        return send_now(self.connection, {"generation": offer.number}, [offer.descriptor])


def lowest_in_use(peers: Iterable[Peer], default: int) -> int:
    """Return the oldest generation that any of these workers reads, `default` for none."""
    return min((lowest for peer in peers if (lowest := peer.lowest_in_use())), default=default)


def _pieces(keys: Collection[str], most: int) -> list[list[str]]:
    listed = list(keys)
    return [listed[at : at + most] for at in range(0, len(listed), most)]
