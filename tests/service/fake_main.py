"""Main and builder as a reloader sees them: parts are small files that name themselves."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from offloader.catalog.documents import parse_documents
from offloader.catalog.manifest import Manifest, parse_manifest
from offloader.service.cache import Cache
from offloader.service.counts import Counts, refuse_unguarded, save_counts
from offloader.service.generation_document import entry_of, part_keys
from offloader.service.reloader.main_link import MainLink, Prepared, Refused
from offloader.shared.control import ControlBlock, Word
from offloader.shared.slots import Slots

LIMIT_BYTES = 1000
COMMIT_SECONDS = 0.25

Document = Mapping[str, Any]
PartInMemory = tuple[str, str]
Answer = Callable[[dict[str, str]], Prepared | Refused | None]


class FakeMain(MainLink):
    """Main without memory: it looks at the files of parts, and remembers what it was asked for.

    `prepared` are the snapshot ids of every prepare, by dataset; `documents` are the documents.
    `ahead` are the parts (dataset, id) that were to be loaded ahead.
    `held` are the names of the parts in memory, which are not loaded again. `answer` may decide
    over a prepare; it gets the ids.
    """

    def __init__(self, cache: Cache, document: Document) -> None:
        self.slots = Slots(1)
        self.control = ControlBlock()
        self.control[Word.LIMIT_BYTES] = LIMIT_BYTES
        self.committed = dict(document)
        self.prepared: list[dict[str, str]] = []
        self.documents: list[Document] = []
        self.commits: list[int] = []
        self.aborted: list[int] = []
        self.ahead: list[tuple[str, str]] = []
        self.answer: Answer | None = None
        self.held = {one for one, _ in _parts(document)}
        self._cache = cache

    @property
    def committed_ids(self) -> dict[str, str]:
        """The ids of the snapshots that are served, by dataset."""
        return _ids(self.committed)

    def prepare(self, document: Document) -> Prepared | Refused:
        document = json.loads(json.dumps(document))  # as it travels
        self.prepared.append(_ids(document))
        self.documents.append(document)
        answer = self.answer(self.prepared[-1]) if self.answer else None
        return answer or self._damaged(document) or self.ready()

    def ready(self, **mapped: int) -> Prepared:
        """Return the answer to the newest prepare when it works."""
        return Prepared(len(self.prepared), mapped)

    def commit(self, number: int) -> float:
        self.commits.append(number)
        self.committed = dict(self.documents[number - 1])
        kept = {(name, key) for name, keys in self.committed["kept"].items() for key in keys}
        self.held = (self.held & kept) | {one for one, _ in _parts(self.committed)}
        return COMMIT_SECONDS

    def load_ahead(self, dataset: str, part_id: str) -> None:
        self.ahead.append((dataset, part_id))

    def abort(self, number: int) -> None:
        self.aborted.append(number)

    def status(self) -> Document:
        """Return the document on the board."""
        document: Document = json.loads(self.slots.board.read())
        return document

    def _damaged(self, document: Document) -> Refused | None:
        for one, part_id in _parts(document):
            path = self._cache.part(one[0], part_id)
            if one not in self.held and not is_sound(path):
                return Refused("segment_corrupt", "a part is damaged", "", (one[0], part_id))
        return None

    def close(self) -> None:
        """Let go of the descriptors."""
        assert isinstance(self.control, ControlBlock)
        self.control.close()
        self.slots.close()


class FakeBuilder:
    """Writes the parts that are missing, and asks the guards; time does not age a snapshot.

    `fails` maps a dataset to what its next builds raise, `before` is called as a build begins and
    `after` when its parts are written.
    """

    def __init__(self) -> None:
        self.jobs: list[Document] = []
        self.fails: dict[str, Exception] = {}
        self.before: Callable[[str], object] = lambda _: None
        self.after: Callable[[str], object] = lambda _: None

    def __call__(self, job: Document, on_standstill: Callable[[], None]) -> int:  # noqa: ARG002
        self.jobs.append(job)
        name = job["dataset"]
        self.before(name)
        if name in self.fails:
            raise self.fails[name]
        catalog = parse_documents(job["documents"])
        manifest = parse_manifest(Path(job["manifest_copy"]).read_bytes(), "manifest.json")
        guards = catalog.datasets[name].guards
        written = write_parts(Cache(Path(job["target"])), job["documents"], name, manifest)
        counts = Counts(manifest.row_count, dict.fromkeys(guards.not_null, 0))
        save_counts(Cache(Path(job["cache"])), name, manifest.digest, counts)
        self.after(name)
        admitted = manifest.watermark / 1e6
        refuse_unguarded(guards, manifest, counts, job["previous_row_count"], admitted)
        return written

    def built(self) -> list[str]:
        """Return the dataset of every build, in order."""
        return [job["dataset"] for job in self.jobs]

    def built_ids(self) -> list[str]:
        """Return the snapshot of every build, in order."""
        copies = (Path(job["manifest_copy"]).read_bytes() for job in self.jobs)
        return [str(json.loads(raw)["snapshot_id"]) for raw in copies]


def is_sound(part: Path) -> bool:
    """Tell whether a part is there and says its own name."""
    return part.is_file() and part.read_bytes() == part.name.encode()


def write_parts(cache: Cache, documents: Document, name: str, manifest: Manifest) -> int:
    """Write the parts that are missing; return how many bytes."""
    written = 0
    for part_id in entry_of(parse_documents(documents), name, manifest)["parts"]:
        path = cache.part(name, part_id)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            written += path.write_bytes(part_id.encode())
    return written


def _parts(document: Document) -> Iterator[tuple[PartInMemory, str]]:
    """Yield dataset and name in memory of every part of a generation, and its id."""
    for name, entry in document["snapshots"].items():
        for key, part_id in zip(part_keys(entry), entry["parts"], strict=True):
            yield (name, key), part_id


def _ids(document: Document) -> dict[str, str]:
    return {name: entry["snapshot"]["snapshot_id"] for name, entry in document["snapshots"].items()}
