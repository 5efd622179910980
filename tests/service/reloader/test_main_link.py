"""Rules of the reloader's link to main: what it asks, what it is told, what it leaves behind."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from offloader.service.main.attach_server import AttachServer
from offloader.service.main.generations import Generations
from offloader.service.reloader.main_link import MainLink, Prepared, Refused
from offloader.shared.control import ControlBlock, Word
from offloader.shared.slots import Head, Slots
from tests.service.fake_worker import FakeWorker
from tests.service.loaded import Loaded, flipped
from tests.service.swapping import Entries, serve
from tests.shared.descriptors import eventually, open_descriptors


def test_the_reloader_is_told_what_is_served(
    server: AttachServer, generations: Generations, made: Loaded, entries: Entries, let_in: None
) -> None:
    """It prepares, commits and aborts by its link, and starts from what main really serves."""
    serve(generations, made, entries[0])
    link = MainLink(server.address)
    assert link.committed == made.document(alpha=entries[0])
    assert link.prepare(made.document(alpha=entries[1])) == Prepared(2, {})
    assert link.commit(2) > 0
    assert link.control.generation() == 2
    assert link.control[Word.SWAP_DURATION_NS] > 0
    assert link.prepare(made.document(alpha=entries[2])) == Prepared(3, {})
    link.abort(3)
    assert link.prepare(made.document(alpha=entries[2])) == Prepared(4, {})
    link._connection.close()


def test_a_reloader_that_is_gone_leaves_nothing_prepared(
    server: AttachServer,
    generations: Generations,
    made: Loaded,
    entries: Entries,
    control: ControlBlock,
    let_in: None,
) -> None:
    """What it prepared and did not commit is dropped with its connection."""
    serve(generations, made, entries[0])
    before = open_descriptors()
    link = MainLink(server.address)
    link.prepare(made.document(alpha=entries[1]))
    link._connection.close()
    del link  # and with it its own mappings, each of which keeps a descriptor
    eventually(lambda: control[Word.SHARED_BYTES] == made.size_bytes("alpha", entries[0]))
    eventually(lambda: open_descriptors() <= before)


def test_what_is_about_to_be_asked_for_is_loaded_ahead(
    server: AttachServer,
    generations: Generations,
    made: Loaded,
    entries: Entries,
    control: ControlBlock,
    let_in: None,
) -> None:
    """Part by part, and let go of when the reloader is gone before it asked."""
    serve(generations, made, entries[0])
    served_bytes = made.size_bytes("alpha", entries[0])
    link = MainLink(server.address)
    for part_id in entries[1]["parts"]:
        link.load_ahead("alpha", part_id)
    assert control[Word.SHARED_BYTES] == served_bytes + made.size_bytes("alpha", entries[1])
    link._connection.close()
    eventually(lambda: control[Word.SHARED_BYTES] == served_bytes)


def test_a_new_reloader_waits_for_the_last_wish_of_the_one_before(
    server: AttachServer, generations: Generations, made: Loaded, entries: Entries, let_in: None
) -> None:
    """Else the end of the old one would drop what the new one prepared."""
    serve(generations, made, entries[0])
    worker = FakeWorker(generations)
    with ThreadPoolExecutor(2) as pool:
        old = MainLink(server.address)
        asking = pool.submit(old.prepare, made.document(alpha=entries[1]))
        eventually(lambda: 2 in worker.offered())
        new = pool.submit(MainLink, server.address)
        worker.attach(2)
        assert asking.result(timeout=10) == Prepared(2, {})
        assert not new.done()
        old._connection.close()
        link = new.result(timeout=10)
        worker.attach(3)
        assert link.prepare(made.document(alpha=entries[1])) == Prepared(3, {})
        link.commit(3)
    link._connection.close()


def test_the_reloaders_heart_beats_while_main_is_at_work(
    server: AttachServer,
    generations: Generations,
    made: Loaded,
    entries: Entries,
    let_in: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A load that takes long does not make the reloader look wedged."""
    monkeypatch.setattr("offloader.service.reloader.main_link.BEAT_SECONDS", 0.001)
    serve(generations, made, entries[0])
    worker = FakeWorker(generations)
    link = MainLink(server.address)
    heart = link.slots.reloader()
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(link.prepare, made.document(alpha=entries[1]))
        eventually(lambda: heart[Head.HEARTBEAT_NS])
        worker.attach(2)
        assert asking.result(timeout=10) == Prepared(2, {})
    link._connection.close()


def test_a_refused_prepare_says_why_and_what_to_do(
    server: AttachServer, generations: Generations, made: Loaded, entries: Entries, let_in: None
) -> None:
    """A damaged part is named; a worker's failure is passed on; both leave the old one served."""
    serve(generations, made, entries[0])
    link = MainLink(server.address)
    with flipped(made.paths("alpha", entries[1])[0], 64):
        refused = link.prepare(made.document(alpha=entries[1]))
    assert isinstance(refused, Refused)
    assert (refused.code, refused.damaged) == ("segment_corrupt", ("alpha", entries[1]["parts"][0]))
    worker = FakeWorker(generations)
    worker.fail(2, "ValueError: no")
    assert link.prepare(made.document(alpha=entries[1])) == Refused(
        "not_attached", "ValueError: no", ""
    )
    assert link.control.generation() == 1
    link._connection.close()


@pytest.mark.parametrize(
    ("broken", "error", "code", "hint"),
    [
        ("part_store.map_sealed", errno.ENODEV, "memory_limit", "raise OFFLOADER_MEMORY_LIMIT"),
        ("offers.memory_of", errno.ENOMEM, "memory_unavailable", "give the container more memory"),
    ],
)
def test_want_of_memory_is_refused_with_a_remedy(
    made: Loaded,
    entries: Entries,
    control: ControlBlock,
    let_in: None,
    monkeypatch: pytest.MonkeyPatch,
    broken: str,
    error: int,
    code: str,
    hint: str,
) -> None:
    """Above the limit where nothing can be mapped, or not to be had from the kernel."""
    with no_room(made, control) as link:
        monkeypatch.setattr(f"offloader.service.main.{broken}", raising(OSError(error, "no")))
        refused = link.prepare(made.document(alpha=entries[0]))
    assert isinstance(refused, Refused)
    assert refused.code == code
    assert refused.hint.startswith(hint)


def test_the_reloader_is_told_what_is_mapped(
    made: Loaded, entries: Entries, control: ControlBlock, let_in: None
) -> None:
    """Bytes by dataset, of what memory had no room for."""
    with no_room(made, control) as link:
        size_bytes = made.size_bytes("alpha", entries[0])
        prepared = link.prepare(made.document(alpha=entries[0]))
        assert prepared == Prepared(2, {"alpha": size_bytes})
        assert link.control[Word.MAPPED_BYTES] == size_bytes


@contextmanager
def no_room(made: Loaded, control: ControlBlock) -> Iterator[MainLink]:
    """Link to a main that has no memory for anything."""
    generations = Generations(made.cache, control, 0, lambda: 0.0)
    generations.commit(generations.prepare(made.document()))
    slots = Slots(1)
    server = AttachServer(generations, control, slots)
    server.start()
    link = MainLink(server.address)
    yield link
    link._connection.close()
    server.close()
    slots.close()


def raising(error: OSError) -> Callable[..., None]:
    """Return a function that raises."""

    def fail(*_: object) -> None:
        raise error

    return fail
