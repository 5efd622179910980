"""Rules of workers during a swap: who is waited for, who is killed, what is dropped."""

from __future__ import annotations

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from offloader.service.main.generations import Generations
from offloader.shared.control import ControlBlock
from tests.service.fake_worker import FakeWorker, sleeping_process
from tests.service.loaded import Loaded
from tests.service.swapping import LONG_SECONDS, SHORT_SECONDS, Entries, serve


def test_workers_that_attach_are_awaited_and_no_longer(
    generations: Generations, made: Loaded, entries: Entries, wait: Callable[..., str]
) -> None:
    """The wait ends with the last acknowledgement."""
    workers = [FakeWorker(generations) for _ in range(3)]
    number = generations.prepare(made.document(alpha=entries[0]))
    attach = [lambda worker=worker: worker.attach(number) for worker in workers]
    assert wait(generations, number, *attach) == ""


def test_without_workers_there_is_nobody_to_wait_for(
    generations: Generations, made: Loaded, entries: Entries
) -> None:
    """The first generations may come before the first worker."""
    assert generations.await_workers(generations.prepare(made.document()), LONG_SECONDS) == ""


def test_a_worker_that_cannot_attach_says_why(
    generations: Generations, made: Loaded, entries: Entries, wait: Callable[..., str]
) -> None:
    """One failure is enough to drop a generation, and its reason is passed on."""
    good, bad = FakeWorker(generations), FakeWorker(generations)
    number = generations.prepare(made.document(alpha=entries[0]))
    steps = (lambda: good.attach(number), lambda: bad.fail(number, "ValueError: no"))
    assert wait(generations, number, *steps) == "ValueError: no"


def test_a_failure_counts_for_its_own_generation_only(
    generations: Generations, made: Loaded, entries: Entries
) -> None:
    """A late word on a dropped generation does not spoil the next one."""
    worker = FakeWorker(generations)
    first = generations.prepare(made.document(alpha=entries[0]))
    generations.abort(first)
    second = generations.prepare(made.document(alpha=entries[1]))
    worker.fail(first, "ValueError: no")
    worker.attach(second)
    assert generations.await_workers(second, LONG_SECONDS) == ""


def test_a_late_worker_is_killed_when_half_of_them_attached(
    generations: Generations, made: Loaded, entries: Entries
) -> None:
    """The generation goes on, and the late worker comes back with what is served then."""
    with sleeping_process() as child:
        good, _late = FakeWorker(generations), FakeWorker(generations, child.pid)
        number = generations.prepare(made.document(alpha=entries[0]))
        good.attach(number)
        assert generations.await_workers(number, SHORT_SECONDS) == ""
        assert child.wait(timeout=30) == -signal.SIGKILL


def test_a_late_worker_that_ended_meanwhile_does_no_harm(
    generations: Generations, made: Loaded, entries: Entries
) -> None:
    """Killing a process that is gone is no error."""
    good, _late = FakeWorker(generations), FakeWorker(generations)
    number = generations.prepare(made.document(alpha=entries[0]))
    good.attach(number)
    assert generations.await_workers(number, SHORT_SECONDS) == ""


def test_a_generation_that_most_workers_are_late_for_is_dropped(
    generations: Generations, made: Loaded, entries: Entries
) -> None:
    """Then the generation is to blame, and nobody is killed."""
    with sleeping_process() as child:
        good = FakeWorker(generations)
        _late = [FakeWorker(generations, child.pid) for _ in range(2)]
        number = generations.prepare(made.document(alpha=entries[0]))
        good.attach(number)
        why_not = generations.await_workers(number, SHORT_SECONDS)
        assert why_not == "2 of 3 workers did not attach in time"
        assert child.poll() is None


def test_a_worker_that_dies_before_it_answers_is_not_waited_for(
    generations: Generations, made: Loaded, entries: Entries, wait: Callable[..., str]
) -> None:
    """The wait ends with its connection; one death of two is an accident."""
    good, dying = FakeWorker(generations), FakeWorker(generations)
    number = generations.prepare(made.document(alpha=entries[0]))
    assert wait(generations, number, lambda: good.attach(number), dying.end) == ""


def test_a_generation_that_every_worker_dies_of_is_dropped(
    generations: Generations, made: Loaded, entries: Entries, wait: Callable[..., str]
) -> None:
    """Nobody left to wait for does not mean that all is well."""
    workers = [FakeWorker(generations) for _ in range(2)]
    number = generations.prepare(made.document(alpha=entries[0]))
    why_not = wait(generations, number, *(worker.end for worker in workers))
    assert why_not == "2 of 2 workers did not attach in time"
    generations.abort(number)
    next_number = generations.prepare(made.document(alpha=entries[1]))
    assert generations.await_workers(next_number, LONG_SECONDS) == ""


def test_a_worker_that_does_not_read_does_not_hold_main_up(
    generations: Generations, made: Loaded, entries: Entries
) -> None:
    """Nothing waits for its socket; it is late, and told later if it reads again."""
    good, hung = FakeWorker(generations), FakeWorker(generations)
    hung.fill()
    number = generations.prepare(made.document(alpha=entries[0]))
    good.attach(number)
    assert good.offered() == [number]
    assert generations.await_workers(number, SHORT_SECONDS) == ""
    generations.commit(number, SHORT_SECONDS)
    serve(generations, made, entries[1])
    serve(generations, made, entries[2])
    assert {"drop": [1]} in good.messages()


def test_who_joins_after_the_commit_gets_the_committed_one_only(
    generations: Generations, made: Loaded, entries: Entries
) -> None:
    """A restarted worker is not offered the generation before."""
    for entry in entries[:2]:
        serve(generations, made, entry)
    sent, generation = FakeWorker(generations).messages()
    assert sent["parts"][:-1] == entries[1]["parts"]
    assert generation == {"generation": 2}


def test_who_joins_during_a_swap_gets_both_and_is_waited_for(
    generations: Generations, made: Loaded, entries: Entries, wait: Callable[..., str]
) -> None:
    """A worker that comes between prepare and commit serves the old one and attaches the new."""
    serve(generations, made, entries[0])
    number = generations.prepare(made.document(alpha=entries[1]))
    late = FakeWorker(generations)
    assert late.offered() == [1, 2]
    assert wait(generations, number, lambda: late.attach(1), lambda: late.attach(2)) == ""


def test_commit_waits_for_who_joined_since_the_others_attached(
    generations: Generations, made: Loaded, entries: Entries, control: ControlBlock
) -> None:
    """Else that worker would have nothing to serve for a moment."""
    serve(generations, made, entries[0])
    number = generations.prepare(made.document(alpha=entries[1]))
    assert generations.await_workers(number, LONG_SECONDS) == ""
    late = FakeWorker(generations)
    with ThreadPoolExecutor(1) as pool:
        committing = pool.submit(generations.commit, number, LONG_SECONDS)
        assert control.generation() == 1
        late.attach(number)
        committing.result(timeout=30)
    assert control.generation() == 2


def test_who_joined_and_cannot_attach_is_killed_at_the_commit(
    generations: Generations, made: Loaded, entries: Entries, control: ControlBlock
) -> None:
    """The others have it already: the one that has not starts again."""
    with sleeping_process() as child:
        number = generations.prepare(made.document(alpha=entries[0]))
        late = FakeWorker(generations, child.pid)
        late.fail(number, "ValueError: no")
        generations.commit(number, LONG_SECONDS)
        assert control.generation() == 1
        assert child.wait(timeout=30) == -signal.SIGKILL
