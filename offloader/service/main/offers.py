"""Offers: generations as workers are told of them, with every part in main's store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import xxhash

from offloader.service.generation_document import Document, encode
from offloader.service.main.admission import admit, wanted_parts
from offloader.service.main.part_store import PartName, PartStore
from offloader.shared.memory import memory_of
from offloader.shared.slots import MAX_COUNTED_ENDPOINTS

Held = Mapping[int, "Offer"]


@dataclass(frozen=True, slots=True, eq=False)
class Offer:
    """A generation that workers may attach; `descriptor` holds what they are told of it.

    `keys` are the parts it needs and, last, the project's documents; `kept` are parts of earlier
    snapshots, which workers answer from while they are there. `document` is what was asked for.
    `mapped` are the bytes that are mapped from the cache's files, by dataset.
    """

    number: int
    descriptor: int
    keys: tuple[str, ...]
    document: Document
    mapped: Mapping[str, int]
    kept: tuple[str, ...] = ()


class Offers:
    """Makes offers out of documents. For one thread at a time.

    Beside the offers it has a reserve: parts of previous snapshots, which stay in memory while
    there is room, so that cursors go on and a rollback loads nothing. Before any of it is dropped
    to make room `withdraw` has the workers let go of it, else the memory would not be free.
    """

    def __init__(self, store: PartStore, withdraw: Callable[[Collection[str]], None]) -> None:
        self._store = store
        self._withdraw = withdraw
        self._reserve: dict[str, list[str]] = {}
        self._ahead: dict[str, str] = {}  # dataset by key, of parts that no offer has yet
        self._rows: dict[str, int] = {}

    def make(self, number: int, document: Document, held: Held, committed: int) -> Offer:
        """Have every part of a document verified in the store, and write what workers are told.

        `held` are the offers whose parts must stay. Raises DamagedPart, OutOfMemoryBudget and
        OSError; call `release` then.
        """
        wanted = wanted_parts(document)
        self._settle_ahead(wanted)
        spare = self._spare(document, held, wanted)
        spare_bytes = self._store.size_bytes("shared", {k for keys in spare.values() for k in keys})
        admitted = admit(
            self._store,
            wanted,
            staying=self._staying(document, wanted, held.get(committed)),
            reserve_bytes=spare_bytes,
            make_room=lambda wanted_bytes: self._make_room(wanted_bytes, spare),
        )
        catalog = self._catalog_key(document["documents"], held.get(committed))
        snapshots = {
            name: {"snapshot": entry["snapshot"], "parts": admitted.keys[name]}
            for name, entry in document["snapshots"].items()
        }
        kept = self._kept(document)
        told = {
            "catalog": catalog,
            "rows": self._counter_rows(document["documents"]["endpoints"]),
            "snapshots": snapshots,
            "kept": kept,
            "memory": admitted.memory,
        }
        descriptor = memory_of("offloader-generation", encode(told))
        keys = (*chain(*admitted.keys.values()), catalog)
        return Offer(
            number, descriptor, keys, document, admitted.mapped, tuple(chain(*kept.values()))
        )

    def load_ahead(self, part: PartName) -> None:
        """Load a part that is about to be asked for, if there is room; raises as `make` does."""
        if part.key in self._store or self._store.missing_bytes([part]) > self._store.room_bytes():
            return
        self._store.load(part)
        self._ahead[part.key] = part.dataset

    def forget_ahead(self) -> None:
        """Expect no longer that what was loaded ahead is asked for; call `release` then."""
        self._ahead.clear()

    def keep(self, document: Document) -> None:
        """Reserve what a document wants kept of previous snapshots, as far as it is here."""
        kept: Mapping[str, list[str]] = document.get("kept") or {}
        self._reserve = {name: [k for k in ids if k in self._store] for name, ids in kept.items()}

    def reserve(self) -> set[str]:
        """Return the parts of previous snapshots that stay; one is taken from here, then dropped.

        Any thread may ask.
        """
        return set(chain(*self._reserve.values()))

    def release(self, held: Held) -> None:
        """Let go of every part that neither an offer nor the reserve needs."""
        offered = {key for offer in held.values() for key in offer.keys}
        self._store.keep_only(offered.union(self._ahead, *self._reserve.values()))

    def _settle_ahead(self, wanted: Mapping[str, list[PartName]]) -> None:
        """Take what is asked for now; let go of what its dataset has no use for, or takes room."""
        keys = {part.key for parts in wanted.values() for part in parts}
        missing_bytes = sum(self._store.missing_bytes(parts) for parts in wanted.values())
        is_short = missing_bytes > self._store.room_bytes()
        unused = [
            k for k, name in self._ahead.items() if k not in keys and (is_short or name in wanted)
        ]
        self._store.drop(unused)
        self._ahead = {
            k: name for k, name in self._ahead.items() if k not in keys and k not in unused
        }

    def _kept(self, document: Document) -> dict[str, list[str]]:
        """Return what a document wants kept, of snapshots whose parts are all in memory."""
        kept: Mapping[str, list[str]] = document.get("kept") or {}
        return {name: k for name, k in kept.items() if k and all(key in self._store for key in k)}

    def _catalog_key(self, documents: Mapping[str, Any], committed: Offer | None) -> str:
        """Keep a project's documents in memory of their own: most generations share them."""
        if committed is not None and committed.document["documents"] == documents:
            return committed.keys[-1]
        content = encode(documents)
        key = f"catalog-{xxhash.xxh3_128_hexdigest(content)}"
        return self._store.keep_content(key, content).key

    def _counter_rows(self, endpoint_documents: Mapping[str, Mapping[str, object]]) -> Document:
        """Give every endpoint the row it always had, and new ones the next."""
        for document in endpoint_documents.values():
            name = str(document["name"])
            if len(self._rows) + 1 < MAX_COUNTED_ENDPOINTS:
                self._rows.setdefault(name, len(self._rows) + 1)
        return dict(self._rows)

    def _staying(
        self, document: Document, wanted: Mapping[str, list[PartName]], committed: Offer | None
    ) -> set[str]:
        """Return the datasets that are mapped and stay so.

        To copy them into memory may take long: only who asks for the same again waits for that,
        and not somebody whose key is to be revoked.
        """
        if committed is None or committed.document == document:
            return set()
        return {
            name
            for name in committed.mapped.keys() & wanted.keys()
            if all(p.key in self._store or p.file_key in self._store for p in wanted[name])
        }

    def _spare(
        self, document: Document, held: Held, wanted: Mapping[str, list[PartName]]
    ) -> dict[str, list[str]]:
        """Return what of the reserve nobody needs now: first what is not to be kept, the largest.

        Parts that the document asks for are not spare: that is a rollback.
        """
        used = {part.key for parts in wanted.values() for part in parts}
        used.update(*(offer.keys for offer in held.values()))
        spare = {name: [k for k in keys if k not in used] for name, keys in self._reserve.items()}
        sizes = {name: self._store.size_bytes("shared", keys) for name, keys in spare.items()}
        kept = document.get("kept") or {}
        order = sorted(spare, key=lambda name: (name in kept, -sizes[name], name))
        return {name: spare[name] for name in order}

    def _make_room(self, wanted_bytes: int, spare: Mapping[str, list[str]]) -> None:
        for name, keys in spare.items():
            if self._store.room_bytes() >= wanted_bytes:
                return
            left = [key for key in self._reserve[name] if key not in keys]
            self._reserve = {**self._reserve, name: left}
            self._withdraw(keys)
            self._store.drop(keys)
