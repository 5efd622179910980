"""Rules of earlier snapshots: a worker answers from them while main holds them, and no longer."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import pytest

from offloader.query.plan import Plan
from offloader.service.generation_document import Document
from offloader.service.main import generations as generations_module
from offloader.service.main.attach_server import AttachServer
from offloader.service.main.generations import Generations
from offloader.service.worker.attachment import Attachment
from offloader.service.worker.generation import Served
from offloader.shared.control import ControlBlock, Word
from offloader.shared.slots import Slots
from tests.service.attaching import ROWS, Attach, body, disconnect, mapped_parts
from tests.service.loaded import Loaded
from tests.service.swapping import LONG_SECONDS, NOW_SECONDS, Entries
from tests.shared.descriptors import eventually


def digest(entry: Document) -> str:
    """Return the digest of an entry's manifest."""
    return str(entry["snapshot"]["manifest_digest"])


def swap(
    generations: Generations, made: Loaded, entry: Document, *kept: Document, **other: Any
) -> int:
    """Serve one entry and have the parts of others kept; wait for the workers."""
    ids = [part_id for one in kept for part_id in one["parts"]]
    number = generations.prepare({**made.document(alpha=entry), "kept": {"alpha": ids}, **other})
    assert generations.await_workers(number, LONG_SECONDS) == ""
    generations.commit(number, LONG_SECONDS)
    return number


def found(worker: Attachment, entry: Document) -> Served | None:
    """Return what a worker answers a cursor on this entry's snapshot from."""
    generation = worker.generation()
    assert generation is not None
    return generation.find("alpha_rows", digest(entry))


def plan_of(worker: Attachment, entry: Document) -> Plan:
    """Return the plan of an entry that a worker holds."""
    served = found(worker, entry)
    assert served is not None
    assert served.plan is not None
    return served.plan


@contextmanager
def attached(
    generations: Generations, control: ControlBlock, workers: int
) -> Iterator[list[Attachment]]:
    """Attach workers to a main of their own, and disconnect them."""
    slots = Slots(workers)
    server = AttachServer(generations, control, slots)
    server.start()
    made = [Attachment(server.address, number, lambda: None) for number in range(workers)]
    yield made
    for one in made:
        disconnect(one)
    server.close()
    slots.close()


@pytest.fixture
def worker(attach: Attach, generations: Generations, made: Loaded, entries: Entries) -> Attachment:
    """A worker that serves the second snapshot and holds the first."""
    swap(generations, made, entries[0])
    worker = attach()
    assert worker.start(LONG_SECONDS)
    swap(generations, made, entries[1], entries[0])
    return worker


def test_an_earlier_snapshot_is_answered_from_while_it_is_kept(
    worker: Attachment, generations: Generations, made: Loaded, entries: Entries
) -> None:
    """The plan it had goes on; with the swap that keeps another one it is gone and unmapped."""
    generation, parts = worker.generation(), len(entries[0]["parts"])
    assert generation is not None
    first = plan_of(worker, entries[0])
    assert first.segment.snapshot_id == "s0"
    assert plan_of(worker, entries[1]).segment.snapshot_id == "s1"
    assert found(worker, entries[2]) is None
    assert generation.find("absent", digest(entries[0])) is None
    assert generation.manifest_digests == {digest(entries[0]), digest(entries[1])}
    assert mapped_parts() == 2 * parts
    del first, generation
    swap(generations, made, entries[2], entries[1])
    assert found(worker, entries[0]) is None
    assert plan_of(worker, entries[1]).segment.snapshot_id == "s1"
    eventually(lambda: mapped_parts() == 2 * parts)


def test_plans_are_taken_over_and_not_compiled_again(
    worker: Attachment, generations: Generations, made: Loaded, entries: Entries
) -> None:
    """From served to earlier, from generation to generation, and back by a rollback."""
    first, second = found(worker, entries[0]), found(worker, entries[1])
    swap(generations, made, entries[1], entries[0], desired=None)
    assert (found(worker, entries[0]), found(worker, entries[1])) == (first, second)
    swap(generations, made, entries[0], entries[1])
    assert (found(worker, entries[0]), found(worker, entries[1])) == (first, second)
    assert body(worker.generation()) == {"snapshot": "s0", "data": ROWS}


def test_a_worker_that_comes_later_holds_the_same(
    worker: Attachment, attach: Attach, entries: Entries
) -> None:
    """A cursor does not depend on the worker it reaches, also right after a restart."""
    restarted = attach()
    assert restarted.start(LONG_SECONDS)
    assert plan_of(restarted, entries[0]) is not plan_of(worker, entries[0])
    assert plan_of(restarted, entries[0]).segment.snapshot_id == "s0"
    assert found(restarted, entries[2]) is None


def test_what_makes_room_is_let_go_of_before_main_loads(
    made: Loaded,
    entries: Entries,
    control: ControlBlock,
    let_in: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing maps it when main looks for room, and cursors on it are gone on every worker."""
    monkeypatch.setattr(generations_module, "FORGET_SECONDS", LONG_SECONDS)
    gc.collect()
    sizes = [made.size_bytes("alpha", entry) for entry in entries]
    parts = len(entries[0]["parts"])
    seen: list[int] = []

    def available_bytes() -> int:
        seen.append(mapped_parts())
        return 1 << 40

    generations = Generations(
        made.cache, control, sum(sizes[:3]) - 1, lambda: NOW_SECONDS, available_bytes
    )
    swap(generations, made, entries[0])
    with attached(generations, control, 2) as workers:
        assert all(worker.start(LONG_SECONDS) for worker in workers)
        swap(generations, made, entries[1], entries[0])
        assert mapped_parts() == 2 * 2 * parts
        reading = plan_of(workers[0], entries[0])
        seen.clear()
        number = generations.prepare({**made.document(alpha=entries[2]), "kept": {}})
        # Before, and after the workers let go: but for the plan that a request reads still.
        assert (seen[0], seen[-1]) == (2 * 2 * parts, 2 * parts + parts)
        assert [found(worker, entries[0]) for worker in workers] == [None, None]
        assert reading.segment.columns["calls"].gather(slice(1, 3)).tolist() == [1, 2]
        assert control[Word.SHARED_BYTES] == sizes[1] + sizes[2]
        assert [peer.is_slow for peer in generations._peers] == [False, False]
        del reading
        gc.collect()
        generations.abort(number)
        eventually(lambda: mapped_parts() == 2 * parts)
        assert all(body(worker.generation())["snapshot"] == "s1" for worker in workers)
        assert [found(worker, entries[0]) for worker in workers] == [None, None]


def test_a_request_under_way_keeps_no_earlier_snapshot_but_the_one_it_reads(
    worker: Attachment, generations: Generations, made: Loaded, entries: Entries
) -> None:
    """Whoever still refers to a generation does not keep from memory what main let go of."""
    old = worker.generation()
    assert old is not None
    swap(generations, made, entries[2], entries[1])
    eventually(lambda: old.find("alpha_rows", digest(entries[0])) is None)
    assert old.earlier.opened == {}
    assert plan_of(worker, entries[1]) is old.endpoints["alpha_rows"].plan


def test_an_earlier_snapshot_that_a_new_contract_cannot_read_is_left_out(
    worker: Attachment, generations: Generations, made: Loaded, entries: Entries
) -> None:
    """The swap goes through, and cursors on it are gone."""
    documents = json.loads(json.dumps(deepcopy(dict(made.project.documents))))
    dataset = documents["datasets"]["datasets/alpha.yml"]
    dataset["schema"].append({"name": "added", "type": "BIGINT"})
    endpoint = documents["endpoints"]["endpoints/alpha_rows.yml"]
    endpoint["query"]["select"] = [{"as": "added", "column": "added"}]
    endpoint["columns"] = ["added"]
    number = generations.prepare(
        {"documents": documents, "snapshots": {}, "kept": {"alpha": entries[1]["parts"]}}
    )
    assert generations.await_workers(number, LONG_SECONDS) == ""
    generations.commit(number, LONG_SECONDS)
    generation = worker.generation()
    assert generation is not None
    assert generation.number == number
    assert generation.earlier.served == {}
    assert found(worker, entries[1]) is None


def test_a_dataset_that_is_no_longer_there_is_passed_over(
    worker: Attachment, generations: Generations, made: Loaded, entries: Entries
) -> None:
    """And so is what is only partly in memory: nothing is loaded for cursors."""
    kept = {"absent": entries[0]["parts"], "alpha": [*entries[0]["parts"], "unknown"]}
    swap(generations, made, entries[1], kept=kept)
    generation = worker.generation()
    assert generation is not None
    assert generation.earlier.opened == {}
    assert found(worker, entries[0]) is None
