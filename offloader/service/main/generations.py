"""Main's side of a swap: prepare, attach, commit, retire.

Prepare has the parts verified and offers the generation to every worker; workers attach and
acknowledge; commit is one store into the control block; retire lets go of a generation when no
long request reads it any more. One thread prepares and commits at a time; workers join,
acknowledge and leave from their own.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from threading import Condition, Lock, Thread
from typing import Any

from offloader.errors import OffloaderError
from offloader.service.cache import Cache
from offloader.service.generation_document import Document
from offloader.service.main.offers import Offer, Offers
from offloader.service.main.part_store import PartName, PartStore, unlimited
from offloader.service.main.peers import Peer, lowest_in_use
from offloader.shared.control import ControlBlock, Word

ACKNOWLEDGE_SECONDS = 15.0
RETRY_SECONDS = 0.1
RETIRE_SECONDS = 0.1
# Unmapping takes a worker milliseconds; one that is slow is not worth more of a swap's time.
FORGET_SECONDS = 1.0


class Generations:
    """The generations main holds: the committed one, one being prepared, and older ones in use.

    `available_bytes` tells how much memory the container has left.
    """

    def __init__(
        self,
        cache: Cache,
        control: ControlBlock,
        limit_bytes: int,
        clock: Callable[[], float],
        available_bytes: Callable[[], int] = unlimited,
    ) -> None:
        self._store = PartStore(cache, limit_bytes, available_bytes)
        self._offers = Offers(self._store, self._withdraw)
        self._control = control
        self._clock = clock
        self._working = Lock()  # taken before `_changed`, which guards peers and generations
        self._changed = Condition()
        self._peers: list[Peer] = []
        self._held: dict[int, Offer] = {}
        self._lost = 0  # workers that ended before they attached what is prepared
        self._last_number = 0
        self._is_retiring = False

    def prepare(self, document: Document) -> int:
        """Have what a document names verified in memory; offer it to every worker.

        Returns the generation's number. Raises DamagedPart, OutOfMemoryBudget, or
        OSError when the memory is not to be had; then nothing has changed for any reader.
        """
        with self._working:
            self._retire()
            number, committed = self._last_number + 1, self._control.generation()
            try:
                offer = self._offers.make(number, document, self._held, committed)
            except (OffloaderError, OSError):
                self._release()
                raise
            with self._changed:
                self._last_number = number
                self._held[number] = offer
                self._lost = 0
                for peer in self._peers:
                    self._update(peer)
            self._count_bytes()
        return number

    def load_ahead(self, part: PartName) -> None:
        """Load a part of a snapshot whose other parts are still on their way, if there is room.

        What goes wrong is for `prepare` to tell.
        """
        with self._working, suppress(OffloaderError, OSError):
            self._offers.load_ahead(part)
            self._count_bytes()

    def mapped(self, number: int) -> Mapping[str, int]:
        """Return what of a held generation did not fit: mapped bytes by dataset."""
        return self._held[number].mapped

    def await_workers(self, number: int, timeout_seconds: float = ACKNOWLEDGE_SECONDS) -> str:
        """Wait until every connected worker serves a generation; return why it must be dropped.

        A worker that does not answer in time is killed, and comes back with what is committed
        then. When fewer than half of the workers answered, the generation must be dropped: a
        worker that ended meanwhile counts as one that did not, for this may be what ended it.
        """
        with self._changed:
            late = self._wait(number, timeout_seconds)
            for peer in self._peers:
                if number in peer.failures:
                    return peer.failures[number]
            missing, asked = len(late) + self._lost, len(self._peers) + self._lost
            if 2 * missing > asked:
                return f"{missing} of {asked} workers did not attach in time"
            for peer in late:
                peer.kill()
        return ""

    def commit(self, number: int, timeout_seconds: float = ACKNOWLEDGE_SECONDS) -> None:
        """Make a prepared generation the one every request is answered from: one store.

        A worker that joined since the others attached is waited for first, else it would serve
        nothing for a moment. Raises LookupError when that generation is not prepared.
        """
        with self._working:
            with self._changed:
                if number not in self._held or number <= self._control.generation():
                    raise LookupError(f"generation {number} is not prepared")
                self._wait(number, timeout_seconds)
                for peer in self._peers:
                    if peer.attached < number:
                        peer.kill()
                self._control[Word.COMMITTED_AT_US] = int(self._clock() * 1e6)
                self._control[Word.GENERATION] = number
            self._offers.keep(self._held[number].document)
            self._retire()
        self._retire_later()

    def abort(self, number: int) -> None:
        """Drop a generation that was prepared and not committed."""
        with self._working:
            if number in self._held and number > self._control.generation():
                self._drop([number])

    def abort_prepared(self) -> None:
        """Drop whatever is prepared: the reloader that wanted it is gone."""
        with self._working:
            committed = self._control.generation()
            self._offers.forget_ahead()
            self._drop([number for number in self._held if number > committed])

    def committed_document(self) -> Document:
        """Return the document of the committed generation, as it was asked for."""
        with self._changed:
            return self._held[self._control.generation()].document

    def join(self, connection: socket.socket, pid: int, head: memoryview) -> Peer:
        """Take a worker in and offer it the committed generation, and the prepared one.

        `head` are the words of its slot. Returns when its socket took everything, which may be
        more than fits at once.
        """
        peer = Peer(connection, pid, head)
        with self._changed:
            self._peers.append(peer)
            self._update(peer)
            self._changed.notify_all()
            while peer.is_behind:
                self._changed.wait(RETRY_SECONDS)
                self._update(peer)
        return peer

    def leave(self, peer: Peer) -> None:
        """Forget a worker whose connection ended, and what its slot says is in use."""
        with self._changed:
            self._peers.remove(peer)
            if peer.attached < self._last_number and self._last_number in self._held:
                self._lost += 1
            self._changed.notify_all()

    def acknowledge(self, peer: Peer, message: Mapping[str, Any]) -> None:
        """Note that a worker attached a generation, or why it could not, or let go of parts."""
        with self._changed:
            if "attached" in message:
                peer.attached = max(peer.attached, message["attached"])
            elif "forgot" in message:
                peer.note_forgotten(message["forgot"])
            else:
                peer.failures[message["failed"]] = message["reason"]
            self._changed.notify_all()

    def _wait(self, number: int, timeout_seconds: float) -> list[Peer]:
        """Wait for the workers' answers; return those that gave none."""
        deadline = time.monotonic() + timeout_seconds
        while late := [peer for peer in self._peers if peer.is_awaited(number)]:
            left_seconds = deadline - time.monotonic()
            if left_seconds <= 0:
                break
            is_any_behind = any(peer.is_behind for peer in late)
            self._changed.wait(min(left_seconds, RETRY_SECONDS) if is_any_behind else left_seconds)
            for peer in late:
                if peer.is_behind:
                    self._update(peer)
        return late

    def _withdraw(self, keys: Collection[str]) -> None:
        """Have workers let go of parts they need not have; wait a little until all have."""
        with self._changed:
            for peer in self._peers:
                self._update(peer)
            deadline = time.monotonic() + FORGET_SECONDS
            while slow := [one for one in self._peers if not one.is_slow and one.has(keys)]:
                left_seconds = deadline - time.monotonic()
                for peer in slow:
                    peer.is_slow = left_seconds <= 0
                    self._update(peer)
                self._changed.wait(max(0.0, min(left_seconds, RETRY_SECONDS)))

    def _update(self, peer: Peer) -> None:
        reserve = self._offers.reserve()
        peer.update(self._held, self._control.generation(), self._store, reserve)

    def _retire(self) -> None:
        """Drop the generations before the committed one that no long request reads.

        A request shows what it reads when it leaves the loop, moments after it began; until then
        its own mapping keeps the memory alive.
        """
        committed = self._control.generation()
        with self._changed:
            in_use = lowest_in_use(self._peers, committed)
        self._drop([number for number in self._held if number < min(in_use, committed)])

    def _retire_later(self) -> None:
        """Have a thread look on until everything before the committed generation is dropped."""
        with self._changed:
            if self._is_retiring or not self._is_any_superseded():
                return
            self._is_retiring = True
        try:
            Thread(target=self._keep_retiring, name="retire", daemon=True).start()
        except RuntimeError:  # no thread is to be had: the next prepare looks anyway
            self._is_retiring = False

    def _keep_retiring(self) -> None:
        while True:
            with self._working:
                self._retire()
            with self._changed:
                if not self._is_any_superseded():
                    self._is_retiring = False
                    return
                self._changed.wait(RETIRE_SECONDS)

    def _is_any_superseded(self) -> bool:
        committed = self._control.generation()
        return any(number < committed for number in self._held)

    def _drop(self, numbers: list[int]) -> None:
        with self._changed:
            for number in numbers:
                os.close(self._held.pop(number).descriptor)
            for peer in self._peers:
                self._update(peer)
        self._release()

    def _release(self) -> None:
        self._offers.release(self._held)
        self._count_bytes()

    def _count_bytes(self) -> None:
        self._control[Word.SHARED_BYTES] = self._store.size_bytes("shared")
        self._control[Word.MAPPED_BYTES] = self._store.size_bytes("page_cache")
