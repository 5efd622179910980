"""What is served now, and the draft of what is to be served next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from offloader.catalog.documents import parse_documents
from offloader.catalog.model import Catalog
from offloader.service.cache import Cache
from offloader.service.composition import Composition, Documents, compose, dataset_contract
from offloader.service.generation_document import part_keys, ready_entry
from offloader.service.project import Project
from offloader.service.quarantine import marks
from offloader.service.state import Snapshot

Entries = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Draft:
    """A generation to be: `flipped` are the found datasets that it really brings.

    `desired` are the documents of the config.
    """

    desired: Documents
    composition: Composition
    entries: Entries
    flipped: frozenset[str]


class Serving:
    """The committed generation as the reloader knows it. One thread uses it."""

    def __init__(self, cache: Cache, committed: Mapping[str, Any]) -> None:
        self._cache = cache
        self.documents: Documents = committed["documents"]
        self._desired: Documents = committed.get("desired") or self.documents
        self.entries: Entries = dict(committed["snapshots"])
        self.catalog: Catalog = parse_documents(self.documents)
        # By dataset the keys of its previous segment's parts: a reloader before this one said them.
        self._kept: dict[str, list[str]] = dict(committed.get("kept") or {})
        self._pending: tuple[Project, frozenset[str]] | None = None

    def snapshot_id(self, name: str) -> str | None:
        """Return the id of the snapshot that a dataset serves, None for none."""
        entry = self.entries.get(name)
        return str(entry["snapshot"]["snapshot_id"]) if entry else None

    def pending(self, desired: Project) -> frozenset[str]:
        """Return the datasets with data that are not under the contract the config names now."""
        if self._pending is None or self._pending[0] is not desired:
            names = (name for name in desired.catalog.datasets if name in self.entries)
            found = frozenset(name for name in names if not self._is_current(desired, name))
            self._pending = desired, found
        return self._pending[1]

    def draft(self, desired: Project, found: Entries) -> Draft:
        """Return the next generation: what was found, the new config, and the rest as it is.

        Raises ConfigError when the new config does not go together with what must be held.
        """
        entries: dict[str, Mapping[str, Any]] = {}
        held = set()
        for name in desired.catalog.datasets:
            entry = found.get(name) or self._current_entry(desired, name)
            if entry is None and name in self.entries:
                held.add(name)
                entry = self.entries[name]
            if entry is not None:
                entries[name] = entry
        composition = compose(desired.documents, desired.catalog, self.documents, held)
        for name in composition.held - held:  # because of another one, and may have no data yet
            entries.pop(name, None)
            entries |= {name: self.entries[name]} if name in self.entries else {}
        for name in composition.dropped:
            entries.pop(name, None)
        flipped = frozenset(found) - composition.held
        return Draft(desired.documents, composition, entries, flipped)

    def is_served(self, draft: Draft) -> bool:
        """Tell whether a draft is what main serves, and knows to be the config, already."""
        served = (self.entries, self.documents, self._desired)
        return (draft.entries, draft.composition.documents, draft.desired) == served

    def document(self, draft: Draft) -> dict[str, Any]:
        """Return the document of a draft, for main."""
        is_desired = draft.composition.documents == draft.desired
        return {
            "documents": draft.composition.documents,
            "desired": None if is_desired else draft.desired,
            "snapshots": draft.entries,
            "kept": self._reserve(draft),
        }

    def forget_reserve(self) -> bool:
        """Keep no previous segments in memory from the next draft on; False if there are none."""
        had = bool(self._kept)
        self._kept = {}
        return had

    def adopt(self, draft: Draft) -> None:
        """Take a draft as what is served: it was committed."""
        self._kept = self._reserve(draft)
        self.entries = draft.entries
        self.documents = draft.composition.documents
        self.catalog = draft.composition.catalog
        self._desired = draft.desired
        self._pending = None

    def _reserve(self, draft: Draft) -> dict[str, list[str]]:
        """Return by dataset the parts of its snapshot before, once a draft is committed.

        A rollback would need them, and cursors go on on them: not on what is in quarantine.
        """
        reserve = {}
        for name, entry in draft.entries.items():
            before = self.entries.get(name)
            if before is not None and _digest(before) != _digest(entry):
                if not self._is_quarantined(name, before):
                    reserve[name] = part_keys(before)
            elif name in self._kept:
                reserve[name] = self._kept[name]
        return reserve

    def _is_quarantined(self, name: str, entry: Mapping[str, Any]) -> bool:
        try:
            return _digest(entry) in {mark.manifest_digest for mark in marks(self._cache, name)}
        except OSError:
            return False

    def _current_entry(self, desired: Project, name: str) -> Mapping[str, Any] | None:
        """Return what a dataset serves, as an entry under the new contract; None if it has none."""
        entry = self.entries.get(name)
        if entry is None or self._is_current(desired, name):
            return entry
        snapshot = Snapshot(**entry["snapshot"])
        copy = entry.get("copy", 0)
        return ready_entry(self._cache, desired.catalog, name, snapshot, copy)

    def _is_current(self, desired: Project, name: str) -> bool:
        return dataset_contract(self.documents, name) == dataset_contract(desired.documents, name)


def _digest(entry: Mapping[str, Any]) -> str:
    return str(entry["snapshot"]["manifest_digest"])
