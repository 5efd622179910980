"""Rules of a worker's attachment: it serves what main has committed, whole, or the one before."""

from __future__ import annotations

import gc
import json
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from offloader.service.main.attach_server import AttachServer
from offloader.service.main.generations import Generations
from offloader.service.worker.attachment import Attachment
from offloader.shared.slots import Head
from tests.service.attaching import ROWS, Attach, body, mapped_parts, swap
from tests.service.loaded import Loaded
from tests.service.swapping import LONG_SECONDS, Entries
from tests.shared.descriptors import eventually


def test_a_worker_serves_the_committed_generation(
    attach: Attach, generations: Generations, made: Loaded, entries: Entries
) -> None:
    """It starts once it attached what is committed, and answers out of shared memory."""
    swap(generations, made, {"alpha": entries[0]})
    worker = attach()
    assert worker.start(LONG_SECONDS)
    generation = worker.generation()
    assert body(generation) == {"snapshot": "s0", "data": ROWS}
    assert generation is not None
    assert generation.number == 1
    assert generation.segment_bytes == {"alpha": made.size_bytes("alpha", entries[0])}
    assert generation.missing() == []


def test_a_worker_shows_itself_in_its_slot(
    attach: Attach, server: AttachServer, generations: Generations, made: Loaded, entries: Entries
) -> None:
    """Pid and attached generation are there; what the process before left is gone."""
    swap(generations, made, {})
    server._slots.head(1)[Head.HEARTBEAT_NS] = 5
    attach()
    worker = attach()
    assert worker.head[Head.PID] == os.getpid()
    assert server._slots.head(1)[Head.PID] == os.getpid()
    assert worker.head[Head.HEARTBEAT_NS] == 0
    assert worker.start(LONG_SECONDS)
    assert worker.head[Head.ATTACHED] == 1


def test_a_prepared_generation_is_not_served_before_its_commit(
    attach: Attach, generations: Generations, made: Loaded, entries: Entries
) -> None:
    """The flip is one number: before it the old answers, after it the new, on every worker."""
    swap(generations, made, {"alpha": entries[0]})
    workers = [attach(), attach()]
    assert all(worker.start(LONG_SECONDS) for worker in workers)
    number = generations.prepare(made.document(alpha=entries[1]))
    assert generations.await_workers(number, LONG_SECONDS) == ""
    assert [body(worker.generation())["snapshot"] for worker in workers] == ["s0", "s0"]
    generations.commit(number)
    assert [body(worker.generation())["snapshot"] for worker in workers] == ["s1", "s1"]


def test_a_generation_that_was_dropped_is_let_go_of(
    attach: Attach, generations: Generations, made: Loaded, entries: Entries
) -> None:
    """Its parts are unmapped, but a request that still reads it reads on."""
    swap(generations, made, {"alpha": entries[0]})
    worker = attach()
    assert worker.start(LONG_SECONDS)
    reading, parts = worker.generation(), len(entries[0]["parts"])
    assert mapped_parts() == parts
    swap(generations, made, {"alpha": entries[1]})
    swap(generations, made, {"alpha": entries[2]})
    eventually(lambda: sorted(worker._generations) == [3])
    eventually(lambda: len(worker._parts) == parts + 1)
    assert [key for key in worker._parts if "catalog" not in key] == entries[2]["parts"]
    assert mapped_parts() == 2 * parts
    assert body(reading) == {"snapshot": "s0", "data": ROWS}
    del reading
    gc.collect()
    assert mapped_parts() == parts


@pytest.mark.parametrize("broken", ["endpoint", "parts", "snapshot"])
def test_a_generation_that_cannot_be_served_is_reported_and_the_one_before_goes_on(
    attach: Attach, generations: Generations, made: Loaded, entries: Entries, broken: str
) -> None:
    """Main hears the reason at once, whatever it is, and the worker takes the next one."""
    swap(generations, made, {"alpha": entries[0]})
    worker = attach()
    assert worker.start(LONG_SECONDS)
    document = made.document(alpha=entries[1])
    if broken == "endpoint":
        documents = json.loads(json.dumps(document["documents"]))
        documents["endpoints"]["endpoints/alpha_rows.yml"]["dataset"] = "absent"
        document["documents"] = documents
    elif broken == "parts":
        document["snapshots"] = {"alpha": {**entries[1], "parts": entries[1]["parts"][::-1]}}
    else:
        document["snapshots"] = {"alpha": {**entries[1], "snapshot": {"unknown": 1}}}
    number = generations.prepare(document)
    reasons = {"endpoint": "ConfigError: ", "parts": "SegmentCorrupt: ", "snapshot": "TypeError: "}
    assert generations.await_workers(number, LONG_SECONDS).startswith(reasons[broken])
    generations.abort(number)
    assert body(worker.generation())["snapshot"] == "s0"
    swap(generations, made, {"alpha": entries[2]})
    assert body(worker.generation())["snapshot"] == "s2"


def test_an_endpoint_that_breaks_when_it_is_asked_is_found_before_it_is_served(
    attach: Attach,
    generations: Generations,
    made: Loaded,
    entries: Entries,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its plan compiles; the smoke query refuses the generation by the endpoint's name."""
    swap(generations, made, {"alpha": entries[0]})
    worker = attach()
    assert worker.start(LONG_SECONDS)

    def broken(*_: object) -> None:
        raise IndexError("index 9 is out of bounds")

    with monkeypatch.context() as patched:
        patched.setattr("offloader.service.worker.smoke.run", broken)
        number = generations.prepare(made.document(alpha=entries[1]))
        assert generations.await_workers(number, LONG_SECONDS) == (
            "ValueError: endpoint alpha_rows does not answer: IndexError: index 9 is out of bounds"
        )
    generations.abort(number)
    assert body(worker.generation())["snapshot"] == "s0"


def test_a_read_that_a_commit_overtakes_finds_the_new_generation(
    attach: Attach, generations: Generations, made: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the number and the look-up the old one may be dropped: then the number is newer."""
    swap(generations, made, {})
    worker = attach()
    assert worker.start(LONG_SECONDS)
    numbers = iter([1, 2, 2])
    served = worker._generations.pop(1)
    worker._generations[2] = served
    monkeypatch.setattr(worker.control, "generation", lambda: next(numbers))
    assert worker.generation() is served
    numbers = iter([3, 3])
    assert worker.generation() is None


def test_a_worker_that_gets_nothing_in_time_says_so(
    attach: Attach, generations: Generations, made: Loaded
) -> None:
    """Without a committed generation the start fails after its time."""
    assert not attach().start(0.01)


def test_a_worker_whose_main_is_gone_is_told_once(
    server: AttachServer, generations: Generations, made: Loaded, let_in: None
) -> None:
    """It ends then: without main it would serve old snapshots for ever."""
    swap(generations, made, {})
    lost = Event()
    worker = Attachment(server.address, 0, lost.set)
    assert worker.start(LONG_SECONDS)
    assert not lost.is_set()
    generations._peers[0].connection.shutdown(socket.SHUT_RDWR)
    assert lost.wait(30)


def test_the_lowest_generation_in_use_is_shown(
    attach: Attach, generations: Generations, made: Loaded
) -> None:
    """It is the oldest that a long request reads, and 0 without any."""
    swap(generations, made, {})
    worker = attach()
    assert worker.start(LONG_SECONDS)
    first = worker.generation()
    assert first is not None
    worker.hold(first)
    worker.hold(first)
    swap(generations, made, {})
    second = worker.generation()
    assert second is not None
    worker.hold(second)
    worker.release(first)
    assert worker.head[Head.LOWEST_IN_USE] == 1
    worker.release(first)
    assert worker.head[Head.LOWEST_IN_USE] == 2
    worker.release(second)
    assert worker.head[Head.LOWEST_IN_USE] == 0


def test_many_swaps_under_requests_never_go_backwards_or_answer_in_part(
    attach: Attach, generations: Generations, made: Loaded, entries: Entries
) -> None:
    """Each read finds a whole generation, and its number only grows."""
    swap(generations, made, {"alpha": entries[0]})
    worker = attach()
    assert worker.start(LONG_SECONDS)
    done = Event()

    def read() -> list[tuple[int, str]]:
        seen = []
        while not done.is_set():
            generation = worker.generation()
            assert generation is not None
            seen.append((generation.number, str(body(generation)["snapshot"])))
        return seen

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        for turn in range(1, 13):
            swap(generations, made, {"alpha": entries[turn % 4]})
        done.set()
        seen = reading.result(timeout=30)
    assert [number for number, _ in seen] == sorted(number for number, _ in seen)
    assert {(n, s) for n, s in seen} <= {(turn + 1, f"s{turn % 4}") for turn in range(13)}
