"""Main's side of a swap: prepare, attach, commit, retire.

Prepare loads and seals the parts and offers the generation to every worker; workers attach and
acknowledge; commit is one store into the control block; retire lets go of what is no longer
reachable. One thread prepares and commits; workers join, acknowledge and leave from their own.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Condition

from offloader.errors import OffloaderError, OutOfMemoryBudget
from offloader.service.cache import Cache
from offloader.service.generation_document import Document, encode
from offloader.service.main.part_store import PartStore
from offloader.shared.attach import send
from offloader.shared.control import ControlBlock, Word
from offloader.shared.memory import memory_of
from offloader.shared.slots import MAX_COUNTED_ENDPOINTS

ACKNOWLEDGE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Offer:
    """A generation that workers may attach; `descriptor` holds its document."""

    number: int
    descriptor: int
    parts: tuple[str, ...]


@dataclass(slots=True, eq=False)
class Peer:
    """One connected worker; `failures` is by generation."""

    connection: socket.socket
    pid: int
    parts: set[str] = field(default_factory=set)
    attached: int = 0
    failures: dict[int, str] = field(default_factory=dict)


class Generations:
    """The generations main holds: the committed one, the one before, and one being prepared."""

    def __init__(
        self, cache: Cache, control: ControlBlock, limit_bytes: int, clock: Callable[[], float]
    ) -> None:
        self._store = PartStore(cache, limit_bytes)
        self._control = control
        self._clock = clock
        self._changed = Condition()
        self._peers: list[Peer] = []
        self._held: dict[int, Offer] = {}
        self._lost = 0  # workers that ended before they attached what is prepared
        self._last_number = 0
        self._rows: dict[str, int] = {}

    def prepare(self, document: Document) -> int:
        """Load, verify and seal what a document names; offer it to every worker.

        Returns the generation's number. Raises DamagedPart, OutOfMemoryBudget, or
        OSError when the memory is not to be had; then nothing has changed for any reader.
        """
        parts = self._load(document["snapshots"])
        rows = self._counter_rows(document["documents"]["endpoints"])
        content = encode({**document, "rows": rows})
        try:
            descriptor = memory_of("offloader-generation", content)
        except OSError:
            self._release()
            raise
        with self._changed:
            self._last_number += 1
            offer = Offer(self._last_number, descriptor, parts)
            self._held[offer.number] = offer
            self._lost = 0
            for peer in self._peers:
                self._offer(peer, offer)
        return offer.number

    def await_workers(self, number: int, timeout_seconds: float = ACKNOWLEDGE_SECONDS) -> str:
        """Wait until every connected worker serves a generation; return why it must be dropped.

        A worker that does not answer in time is killed, and comes back with what is committed
        then. When fewer than half of the workers answered, the generation must be dropped: a
        worker that ended meanwhile counts as one that did not, for this may be what ended it.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting(number), timeout_seconds)
            for peer in self._peers:
                if number in peer.failures:
                    return peer.failures[number]
            late = self._waiting(number)
            missing, asked = len(late) + self._lost, len(self._peers) + self._lost
            if 2 * missing > asked:
                return f"{missing} of {asked} workers did not attach in time"
            self._kill(late)
        return ""

    def commit(self, number: int, timeout_seconds: float = ACKNOWLEDGE_SECONDS) -> None:
        """Make a prepared generation the one every request is answered from: one store.

        A worker that joined since the others attached is waited for first, else it would serve
        nothing for a moment. Raises LookupError when that generation is not prepared.
        """
        with self._changed:
            if number not in self._held or number <= self._control.generation():
                raise LookupError(f"generation {number} is not prepared")
            self._changed.wait_for(lambda: not self._waiting(number), timeout_seconds)
            self._kill([peer for peer in self._peers if peer.attached < number])
            self._control[Word.COMMITTED_AT_US] = int(self._clock() * 1e6)
            self._control[Word.GENERATION] = number
        self._retire()

    def abort(self, number: int) -> None:
        """Drop a generation that was prepared and not committed."""
        if number in self._held and number > self._control.generation():
            self._drop([number])

    def abort_prepared(self) -> None:
        """Drop whatever is prepared: the reloader that wanted it is gone."""
        committed = self._control.generation()
        self._drop([number for number in self._held if number > committed])

    def committed_descriptor(self) -> int:
        """Return the descriptor of the committed generation's document."""
        return self._held[self._control.generation()].descriptor

    def join(self, connection: socket.socket, pid: int) -> Peer:
        """Take a worker in and offer it the committed generation, and the prepared one."""
        peer = Peer(connection, pid)
        with self._changed:
            committed = self._control.generation()
            for number in sorted(self._held):
                if number >= committed:
                    self._offer(peer, self._held[number])
            self._peers.append(peer)
        return peer

    def leave(self, peer: Peer) -> None:
        """Forget a worker whose connection ended."""
        with self._changed:
            self._peers.remove(peer)
            if peer.attached < self._last_number and self._last_number in self._held:
                self._lost += 1
            self._changed.notify_all()

    def acknowledge(self, peer: Peer, message: Mapping[str, object]) -> None:
        """Note that a worker attached a generation, or why it could not."""
        with self._changed:
            if "attached" in message:
                peer.attached = max(peer.attached, int(str(message["attached"])))
            else:
                peer.failures[int(str(message["failed"]))] = str(message["reason"])
            self._changed.notify_all()

    def _waiting(self, number: int) -> list[Peer]:
        return [p for p in self._peers if p.attached < number and number not in p.failures]

    def _load(self, snapshots: Mapping[str, Document]) -> tuple[str, ...]:
        wanted = {name: entry["parts"] for name, entry in snapshots.items()}
        parts = tuple(part_id for part_ids in wanted.values() for part_id in part_ids)
        try:
            self._check_room(wanted)
        except OutOfMemoryBudget:
            self._retire(keep_previous=False)
            self._check_room(wanted)
        try:
            for dataset, part_ids in wanted.items():
                for part_id in part_ids:
                    self._store.load(dataset, part_id)
        except (OffloaderError, OSError):
            self._release()
            raise
        self._control[Word.SHARED_BYTES] = self._store.size_bytes
        return parts

    def _check_room(self, wanted: Mapping[str, list[str]]) -> None:
        missing = sum(self._store.missing_bytes(name, ids) for name, ids in wanted.items())
        self._store.check_room(missing)

    def _counter_rows(self, endpoint_documents: Mapping[str, Mapping[str, object]]) -> Document:
        for document in endpoint_documents.values():
            name = str(document["name"])
            if len(self._rows) + 1 < MAX_COUNTED_ENDPOINTS:
                self._rows.setdefault(name, len(self._rows) + 1)
        return dict(self._rows)

    def _offer(self, peer: Peer, offer: Offer) -> None:
        with suppress(OSError):  # it is gone, or hangs and will be found late
            for part_id in offer.parts:
                if part_id not in peer.parts:
                    descriptor = self._store[part_id].descriptor
                    send(peer.connection, {"part": part_id}, [descriptor])
                    peer.parts.add(part_id)
            send(peer.connection, {"generation": offer.number}, [offer.descriptor])

    def _kill(self, peers: list[Peer]) -> None:
        for peer in peers:
            with suppress(ProcessLookupError):
                os.kill(peer.pid, signal.SIGKILL)

    def _retire(self, *, keep_previous: bool = True) -> None:
        """Drop every generation before the committed one, but the last of them if it may stay."""
        committed = self._control.generation()
        older = sorted(number for number in self._held if number < committed)
        self._drop(older[:-1] if keep_previous else older)

    def _drop(self, numbers: list[int]) -> None:
        with self._changed:
            for number in numbers:
                os.close(self._held.pop(number).descriptor)
            kept = {part_id for offer in self._held.values() for part_id in offer.parts}
            for peer in self._peers:
                peer.parts &= kept
                self._tell_dropped(peer, numbers)
        self._release()

    def _tell_dropped(self, peer: Peer, numbers: list[int]) -> None:
        with suppress(OSError):  # a worker that is gone has dropped everything
            for number in numbers:
                send(peer.connection, {"drop": number})

    def _release(self) -> None:
        self._store.keep_only({p for offer in self._held.values() for p in offer.parts})
        self._control[Word.SHARED_BYTES] = self._store.size_bytes
