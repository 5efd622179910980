"""Rules of making room: workers let go of what is kept before main does, or are passed over."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from offloader.service.generation_document import Document
from offloader.service.main import generations as generations_module
from offloader.service.main.generations import Generations
from offloader.shared.control import ControlBlock, Word
from tests.service.fake_worker import FakeWorker
from tests.service.loaded import Loaded
from tests.service.swapping import LONG_SECONDS, SHORT_SECONDS, Entries, serve
from tests.shared.descriptors import eventually


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No machine is so busy that main gives up on a worker by itself."""
    monkeypatch.setattr(generations_module, "FORGET_SECONDS", LONG_SECONDS)


@pytest.fixture
def crowded(made: Loaded, entries: Entries, control: ControlBlock) -> Generations:
    """Main with room for two snapshots and not for three; it serves s1 and keeps s0."""
    sizes = [made.size_bytes("alpha", entry) for entry in entries]
    limit_bytes = min(sum(sizes[:3]), sum(sizes[1:])) - 1
    generations = Generations(made.cache, control, limit_bytes, lambda: 0.0)
    serve(generations, made, entries[0])
    generations.commit(generations.prepare(keeping(made, entries[1], entries[0])), SHORT_SECONDS)
    return generations


def keeping(made: Loaded, entry: Document, kept: Document) -> Document:
    """Return a document that serves one entry and wants the parts of another kept."""
    return {**made.document(alpha=entry), "kept": {"alpha": kept["parts"]}}


def forget(worker: FakeWorker) -> None:
    """Answer every wish to forget that came until now."""
    for message in worker.messages():
        if "forget" in message:
            worker._generations.acknowledge(worker.peer, {"forgot": message["forget"]})


def test_main_waits_until_every_worker_has_let_go(
    crowded: Generations, made: Loaded, entries: Entries, control: ControlBlock
) -> None:
    """Its own descriptors are closed after the last worker's word, and no sooner."""
    workers = [FakeWorker(crowded) for _ in range(2)]
    sizes = [made.size_bytes("alpha", entry) for entry in entries]
    with ThreadPoolExecutor(1) as pool:
        preparing = pool.submit(crowded.prepare, keeping(made, entries[2], entries[1]))
        eventually(lambda: all(worker.peer.leaving for worker in workers))
        forget(workers[0])
        assert not preparing.done()
        assert entries[0]["parts"][0] in crowded._store
        forget(workers[1])
        assert preparing.result(timeout=30) == 3
    assert entries[0]["parts"][0] not in crowded._store
    assert control[Word.SHARED_BYTES] == sizes[1] + sizes[2]
    assert [worker.peer.is_slow for worker in workers] == [False, False]


def test_a_worker_that_does_not_let_go_is_waited_for_once(
    crowded: Generations, made: Loaded, entries: Entries, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that hangs delays one swap a little, and others not at all until it answers."""
    worker = FakeWorker(crowded)
    monkeypatch.setattr(generations_module, "FORGET_SECONDS", 0.01)
    crowded.commit(crowded.prepare(keeping(made, entries[2], entries[1])), SHORT_SECONDS)
    assert worker.peer.is_slow
    monkeypatch.setattr(generations_module, "FORGET_SECONDS", LONG_SECONDS)
    assert crowded.prepare(keeping(made, entries[3], entries[2])) == 4
    forget(worker)
    assert (worker.peer.is_slow, worker.peer.leaving) == (False, set())


def test_a_worker_that_ends_is_not_waited_for(
    crowded: Generations, made: Loaded, entries: Entries
) -> None:
    """What it mapped is unmapped by the kernel."""
    worker = FakeWorker(crowded)
    with ThreadPoolExecutor(1) as pool:
        preparing = pool.submit(crowded.prepare, keeping(made, entries[2], entries[1]))
        eventually(lambda: bool(worker.peer.leaving))
        worker.end()
        assert preparing.result(timeout=30) == 3


def test_a_worker_that_joins_is_not_sent_what_is_being_dropped(
    crowded: Generations, made: Loaded, entries: Entries
) -> None:
    """It attaches the served generation without it, as all others have it by then."""
    worker = FakeWorker(crowded)
    with ThreadPoolExecutor(1) as pool:
        preparing = pool.submit(crowded.prepare, keeping(made, entries[2], entries[1]))
        eventually(lambda: bool(worker.peer.leaving))
        joined = FakeWorker(crowded)
        sent = [key for message in joined.messages() for key in message.get("parts", ())]
        assert set(entries[0]["parts"]).isdisjoint(sent)
        assert set(entries[1]["parts"]) <= set(sent)
        forget(worker)
        preparing.result(timeout=30)
