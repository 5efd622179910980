"""Retries, back-off, deadlines, and reads that go on where they broke."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from offloader.errors import SourceUnavailable
from offloader.stores.patient import Patience, PatientStore
from offloader.stores.store import (
    ObjectExists,
    StoreFailed,
    busy,
    changed,
    cut_short,
    denied,
    exists,
    missing,
    unreachable,
)
from tests.stores.contract import StoreContract
from tests.stores.scripted import CONTENT, FOUND, Clock, Scripted, Step
from tests.stores.test_local import Folder

DOWN = unreachable("gs://scripted", "Connection refused")
LISTING = StoreFailed("listing_unsupported", "no")
READ_ONLY = StoreFailed("store_read_only", "no")


def store_of(
    *steps: Step,
    patience: Patience | None = None,
    chance: float = 1.0,
    call_seconds: float = 0.0,
    chunk_bytes: int = 10,
) -> tuple[PatientStore, Scripted, Clock]:
    """Return a patient store over a script, with the highest jitter unless told otherwise."""
    clock = Clock()
    backend = Scripted(list(steps), clock, call_seconds, chunk_bytes)
    patient = PatientStore(
        backend,
        patience or Patience(),
        clock=clock.time,
        wait=clock.wait,
        chance=lambda: chance,
    )
    return patient, backend, clock


class TestPatientLocal(StoreContract):
    @pytest.fixture
    def subject(self, tmp_path: Path) -> Folder:
        """Return a folder whose store is patient, which changes no rule."""
        folder = Folder(tmp_path)
        folder.store = PatientStore(folder.store)
        return folder


def test_failures_are_tried_again_after_growing_waits() -> None:
    """A call is tried until it succeeds; waits double from 0.2 seconds up to 5."""
    store, backend, clock = store_of(*[DOWN] * 7, patience=Patience(attempts=9))
    assert store.stat("key") == FOUND
    assert len(backend.calls) == 8
    assert clock.waits == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_waits_are_a_matter_of_chance() -> None:
    """A wait is any part of its bound, so that many replicas do not come at once."""
    for chance, waits in ((0.0, [0.0, 0.0]), (0.5, [0.1, 0.2])):
        store, _, clock = store_of(DOWN, DOWN, chance=chance)
        store.stat("key")
        assert clock.waits == waits


def test_a_store_is_given_the_time_it_asks_for() -> None:
    """Retry-After is waited for at least, up to 20 seconds."""
    store, _, clock = store_of(
        busy("u", 429, 7.0), busy("u", 503, 3600.0), busy("u", 503, 0.1), chance=0.5
    )
    store.stat("key")
    assert clock.waits == [7.0, 20.0, 0.4]


def test_at_last_the_failure_is_told_with_how_often_it_was_tried() -> None:
    """After its attempts a call raises the last failure, its code and what the store asked."""
    last = busy("gs://scripted", 503, 2.0)
    store, backend, clock = store_of(*[DOWN] * 5, last)
    with pytest.raises(StoreFailed, match="answered 503; given up after 6 failures") as raised:
        store.list("p", most=3)
    assert (raised.value.code, raised.value.after_seconds) == ("store_busy", 2.0)
    assert backend.calls == [("list", "p", 3)] * 6
    assert len(clock.waits) == 5


def test_no_call_begins_after_the_deadline() -> None:
    """Calls that take long end the patience before the attempts do, without a last wait."""
    store, backend, clock = store_of(*[DOWN] * 9, call_seconds=20.0)
    with pytest.raises(StoreFailed, match="given up after 3 failures"):
        store.stat("key")
    assert len(backend.calls) == 3
    assert clock.now < 61


@pytest.mark.parametrize(
    "answer",
    [
        denied("u", "read"),
        missing("u", "key"),
        changed("u", "key"),
        exists("u", "key"),
        LISTING,
        READ_ONLY,
    ],
)
def test_an_answer_is_an_answer(answer: SourceUnavailable) -> None:
    """What asking again cannot change is raised as it is, at once."""
    store, backend, clock = store_of(answer)
    with pytest.raises(type(answer)) as raised:
        store.stat("key")
    assert raised.value is answer
    assert (len(backend.calls), clock.waits) == (1, [])


def test_other_errors_are_not_hidden() -> None:
    """An error that is no failure of a store passes."""
    store, _, _ = store_of(SourceUnavailable("other", "no"))
    with pytest.raises(SourceUnavailable) as raised:
        store.stat("key")
    assert raised.value.code == "other"


def test_a_wait_can_be_called_off() -> None:
    """What the wait raises ends the call."""

    def stop(_: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        PatientStore(Scripted([DOWN], Clock()), wait=stop).stat("key")


def test_a_broken_read_goes_on_at_the_byte_where_it_broke() -> None:
    """No byte is read twice, none is left out, and the version stays pinned."""
    store, backend, clock = store_of(25, DOWN, 30, None)
    assert b"".join(store.read(FOUND, 10, 80)) == CONTENT[10:90]
    assert backend.calls == [
        ("read", 10, 80),
        ("read", 35, 55),
        ("read", 35, 55),
        ("read", 65, 25),
    ]
    assert clock.waits == [0.2, 0.4, 0.2]
    assert backend.closed == 3


def test_progress_gives_new_attempts() -> None:
    """A read that advances is not ended by the number of its breaks."""
    store, backend, _ = store_of(*[10] * 9, patience=Patience(attempts=2))
    assert b"".join(store.read(FOUND)) == CONTENT
    assert len(backend.calls) == 10


def test_a_read_without_progress_ends() -> None:
    """Breaks at the same byte end a read after its attempts."""
    store, backend, _ = store_of(50, 0, 0, 0, patience=Patience(attempts=3))
    with pytest.raises(StoreFailed, match="given up after 3 failures") as raised:
        list(store.read(FOUND))
    assert (raised.value.code, len(backend.calls)) == ("object_cut_short", 3)


def test_progress_does_not_move_the_deadline() -> None:
    """A body that breaks after every few bytes does not hold a reader for ever."""
    patience = Patience(attempts=3, deadline_seconds=20.0, bytes_per_second=10)
    store, _, clock = store_of(*[1] * 99, patience=patience, call_seconds=1.0)
    with pytest.raises(StoreFailed, match="not there after 31 seconds") as raised:
        list(store.read(FOUND))
    assert (raised.value.code, round(clock.now)) == ("store_too_slow", 31)


def test_a_body_that_trickles_ends() -> None:
    """A body that comes far too slowly is given up, though every byte of it is progress."""
    patience = Patience(deadline_seconds=5.0, bytes_per_second=100)
    store, backend, clock = store_of(patience=patience, call_seconds=1.0, chunk_bytes=1)
    with pytest.raises(StoreFailed, match="not there after 7 seconds") as raised:
        list(store.read(FOUND))
    assert raised.value.code == "store_too_slow"
    assert (len(backend.calls), clock.waits, backend.closed) == (1, [], 1)


def test_the_readers_own_time_does_not_count() -> None:
    """A reader may take as long as it likes with what it got."""
    store, _, clock = store_of(patience=Patience(deadline_seconds=1.0))
    got = b""
    for chunk in store.read(FOUND):
        clock.now += 1000.0
        got += chunk
    assert got == CONTENT


def test_a_change_ends_a_read() -> None:
    """A version that is gone when a broken read goes on is told, not replaced."""
    store, _, _ = store_of(25, changed("gs://scripted", "key"))
    body = store.read(FOUND)
    with pytest.raises(SourceUnavailable) as raised:
        b"".join(body)
    assert raised.value.code == "object_changed"


def test_a_read_that_is_given_up_closes_its_body() -> None:
    """A reader that stops early leaves no body open."""
    store, backend, _ = store_of()
    body = store.read(FOUND)
    assert next(body) == CONTENT[:10]
    body.close()  # type: ignore[attr-defined]
    assert backend.closed == 1


def test_no_bytes_ask_nobody() -> None:
    """A read of nothing makes no call."""
    store, backend, _ = store_of()
    assert list(store.read(FOUND, 5, 0)) == list(store.read(FOUND, 100)) == []
    assert backend.calls == []


def test_a_write_begins_again_with_all_of_its_content() -> None:
    """Each try writes the content from its start."""
    store, backend, _ = store_of(DOWN, cut_short("u", "key", 1))
    store.write("key", io.BytesIO(b"12345"), 5)
    assert backend.written == [b"12345"] * 3


def test_a_key_may_be_taken_by_a_try_whose_answer_was_lost() -> None:
    """ObjectExists after a failure of the same call is told, for only the caller can judge it."""
    store, backend, _ = store_of(DOWN, exists("gs://scripted", "key"))
    with pytest.raises(ObjectExists):
        store.write("key", io.BytesIO(b"12345"), 5)
    assert len(backend.calls) == 2
