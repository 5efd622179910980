"""Main's threads at the attach socket: one accepts, one serves each worker and the reloader."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any

from offloader.errors import OffloaderError
from offloader.service import log
from offloader.service.generation_document import Document, encode
from offloader.service.main.generations import Generations
from offloader.service.main.part_store import DamagedPart, PartName
from offloader.shared.attach import is_own_child, listen, peer_pid, receive, send
from offloader.shared.control import ControlBlock, Word
from offloader.shared.memory import memory_of
from offloader.shared.slots import Slots

SEND_SECONDS = 10.0  # for answers; what workers are offered never waits
_PAUSE_SECONDS = 0.1


class AttachServer:
    """Hands descriptors to workers and carries out what the reloader asks for."""

    def __init__(self, generations: Generations, control: ControlBlock, slots: Slots) -> None:
        self._generations = generations
        self._control = control
        self._slots = slots
        self._server, self.address = listen()
        self._is_closed = threading.Event()
        self._one_reloader = threading.Lock()

    def start(self) -> None:
        """Accept connections from now on, in daemon threads."""
        threading.Thread(target=self._accept, name="attach", daemon=True).start()

    def committed_document(self) -> Document:
        """Return the document of the generation that is served."""
        return self._generations.committed_document()

    def close(self) -> None:
        """Accept no more connections; those that exist go on."""
        self._is_closed.set()
        self._server.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._server.close()

    def _accept(self) -> None:
        while not self._is_closed.is_set():
            try:
                connection, _ = self._server.accept()
            except OSError:
                self._is_closed.wait(_PAUSE_SECONDS)  # out of descriptors, most likely
                continue
            if not is_own_child(connection):
                connection.close()
                continue
            threading.Thread(
                target=self._serve, args=(connection,), name="attach-peer", daemon=True
            ).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            # Receiving may take for ever, so only sending has a limit (SO_SNDTIMEO, two longs).
            timeout = int(SEND_SECONDS).to_bytes(8, "little") + bytes(8)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)
            try:
                hello = _message(connection)
                if hello.get("role") == "reloader":
                    with self._one_reloader:  # a killed one's last wish may still be under way
                        self._serve_reloader(connection)
                else:
                    self._serve_worker(connection, self._head_of(hello.get("worker")))
            except (OSError, EOFError):
                return
            except Exception as error:
                log.broke("attach_peer_broke", error)

    def _welcome(self, connection: socket.socket, *more: int) -> None:
        shared = [self._control.descriptor, self._slots.descriptor, *more]
        send(connection, {"workers": self._slots.workers}, shared)

    def _head_of(self, worker: object) -> memoryview:
        if not isinstance(worker, int) or not 0 <= worker < self._slots.workers:
            raise ValueError("a worker that has no slot")
        return self._slots.head(worker)

    def _serve_worker(self, connection: socket.socket, head: memoryview) -> None:
        self._welcome(connection)
        peer = self._generations.join(connection, peer_pid(connection), head)
        try:
            while True:
                self._generations.acknowledge(peer, _message(connection))
        finally:
            self._generations.leave(peer)

    def _serve_reloader(self, connection: socket.socket) -> None:
        document = memory_of("offloader-generation", encode(self._generations.committed_document()))
        try:
            self._welcome(connection, document)
        finally:
            os.close(document)
        try:
            while True:
                message, descriptors = receive(connection)
                try:
                    answer = self._answer(message, descriptors)
                finally:
                    for descriptor in descriptors:
                        os.close(descriptor)
                send(connection, answer)
        finally:
            self._generations.abort_prepared()

    def _answer(self, message: Mapping[str, Any], descriptors: list[int]) -> dict[str, object]:
        if "commit" in message:
            self._generations.commit(message["commit"])
            self._control[Word.SWAP_DURATION_NS] = time.monotonic_ns() - message["began_ns"]
            return {"committed": message["commit"]}
        if "abort" in message:
            self._generations.abort(message["abort"])
            return {"aborted": message["abort"]}
        if "load_ahead" in message:
            dataset, part_id = message["load_ahead"]
            self._generations.load_ahead(PartName(dataset, part_id, part_id))
            return {}
        return self._prepare(_document(descriptors[0]))

    def _prepare(self, document: dict[str, Any]) -> dict[str, object]:
        try:
            number = self._generations.prepare(document)
        except DamagedPart as error:
            damaged = {"dataset": error.dataset, "part": error.part_id}
            return {"refused": error.code, "message": error.message, "damaged": damaged}
        except OffloaderError as error:
            return {"refused": error.code, "message": error.message, "hint": error.hint}
        except OSError as error:
            hint = "give the container more memory"
            return {"refused": "memory_unavailable", "message": str(error), "hint": hint}
        why_not = self._generations.await_workers(number)
        if why_not:
            self._generations.abort(number)
            return {"refused": "not_attached", "message": why_not}
        return {"prepared": number, "mapped": dict(self._generations.mapped(number))}


def _message(connection: socket.socket) -> dict[str, Any]:
    message, descriptors = receive(connection)
    for descriptor in descriptors:
        os.close(descriptor)
    return message


def _document(descriptor: int) -> dict[str, Any]:
    with open(descriptor, "rb", closefd=False) as file:
        file.seek(0)
        return dict(json.load(file))
