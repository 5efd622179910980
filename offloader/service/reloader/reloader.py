"""The reloader: starts the work that is due, takes what came of it, and drives every swap.

One thread decides and swaps; sources are looked at and built from in a pool, so that a slow one
delays no other. It holds the only copy of nothing: what is served main knows, what was tried is
in the state file, what was built is in the cache.
"""

from __future__ import annotations

import os
import queue
import random
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event

from offloader.catalog.documents import parse_documents
from offloader.service import log
from offloader.service.actions import Action, Result
from offloader.service.builder.turns import Turns
from offloader.service.config.boot import Origin
from offloader.service.lookout import Lookout
from offloader.service.project import Project
from offloader.service.reloader.book import Book
from offloader.service.reloader.config_status import ConfigStatus
from offloader.service.reloader.config_watch import ConfigSeen
from offloader.service.reloader.ledger import Ledger
from offloader.service.reloader.main_link import MainLink
from offloader.service.reloader.operations import Operations
from offloader.service.reloader.operator import Allowed, before_work, is_outdated
from offloader.service.reloader.outcomes import Outcomes
from offloader.service.reloader.refresh_spans import note_refresh
from offloader.service.reloader.reporter import Reporter
from offloader.service.reloader.schedule import Schedule
from offloader.service.reloader.serving import Serving
from offloader.service.reloader.sharing import Sharing
from offloader.service.reloader.swap import Swapper
from offloader.service.reloader.task import Done, Step, Task, carried_on
from offloader.service.reloader.work import Build, Work
from offloader.service.tracing import Tracing
from offloader.shared.slots import Head

LOOKS_AT_ONCE = 64  # threads: most of them wait, for a source or for their turn to build
ACTIONS_AT_ONCE = 16  # as many as the action server takes
HEARTBEAT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Station:
    """Where a reloader works: its project, its state file, and how it shares what it builds."""

    project: Project
    state: Path
    refresh_seconds: float
    is_config_watched: bool = False
    origin: Origin | None = None  # of a project in a bucket
    threads: int = 1
    instance: int = 0
    sharing: Sharing | None = None
    tracing: Tracing | None = None


class Reloader:
    """Drives every dataset of one project; `build` runs one build to its end."""

    def __init__(
        self,
        station: Station,
        link: MainLink,
        build: Build,
        lookout: Lookout,
        turns: Turns | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._cache = lookout.cache
        self._link = link
        self._clock = clock
        # Not queue.Queue: a signal handler may put too, while the same thread takes.
        self._events: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._pool = ThreadPoolExecutor(LOOKS_AT_ONCE, thread_name_prefix="look")
        # Their own: an operator must not wait behind a thread that waits for its turn to build.
        self._asked = ThreadPoolExecutor(ACTIONS_AT_ONCE, thread_name_prefix="action")
        self._serving = Serving(self._cache, link.committed)
        self._swapper = Swapper(self._cache, link, self._serving)
        self._ledger = Ledger(self._cache, station.state, clock)
        timeline = self._ledger.timeline
        self._operations = Operations(lookout, self._serving.snapshot_id, timeline)
        self._outcomes = Outcomes(self._cache, self._ledger, self._swapper, self._operations)
        self._work = Work(
            lookout,
            build,
            threads=station.threads,
            clock=clock,
            on_step=self._note_step,
            aside=str(station.instance),
            turns=turns,
            fetch=partial(station.sharing.fetch, self._load_ahead) if station.sharing else None,
        )
        self._sharing = station.sharing
        self._tracing = station.tracing
        documents = link.committed.get("desired") or self._serving.documents
        self._desired = replace(
            station.project, documents=documents, catalog=parse_documents(documents)
        )
        self._config = ConfigStatus.begin(
            self._desired.catalog.revision,
            station.origin,
            is_watched=station.is_config_watched,
            timeline=timeline,
        )
        self._reporter = Reporter(
            link.slots.board,
            self._cache,
            self._ledger,
            clock,
            station.instance,
            station.sharing,
            aside=lambda work: self._pool.submit(work),
        )
        self._book = Book(
            self._cache,
            station.state,
            self._ledger,
            self._outcomes,
            clock,
            aside=lambda work: self._pool.submit(work),
        )
        self._schedule = Schedule(station.refresh_seconds, random.Random(os.getpid()))
        self._finished: dict[str, Done] = {}
        self._heart = link.slots.reloader()
        self._know_datasets()
        self._reporter.take_over()
        self._ledger.keep()

    def run(self, stop: Event) -> None:
        """Work until `stop` is set; raises EOFError or OSError when main is gone."""
        # The beat first: this process must not be judged by the last beat of the one before.
        self._heart[Head.HEARTBEAT_NS] = time.monotonic_ns()
        self._heart[Head.PID] = os.getpid()
        while not stop.is_set():
            self.turn()

    def submit(self, action: Action) -> Future[Result]:
        """Have an action carried out; may be called from any thread."""
        answer: Future[Result] = Future()
        self._events.put(partial(self._ask, action, answer))
        return answer

    def take_config(self, seen: ConfigSeen) -> None:
        """Have a changed config taken over; may be called from any thread."""
        self._events.put(partial(self._see_config, seen))

    def check_all(self, check_config: Callable[[], None]) -> None:
        """Have everything looked at now; may be called from any thread and signal handler."""
        self._events.put(check_config)
        self._events.put(self._make_all_due)

    def turn(self) -> None:
        """Start what is due, take what came of earlier work, swap, keep the book, report."""
        self._heart[Head.HEARTBEAT_NS] = time.monotonic_ns()
        self._start_due()
        self._take_events()
        self._settle()
        refused = self._config.again(self._clock())
        if refused is not None:
            self._see_config(refused)
        self._swapper.promote_if_due(self._desired)
        self._keep_book()
        if self._sharing is not None:
            self._sharing.offer(self._serving.entries)
        pending = self._serving.pending(self._desired)
        self._reporter.report(self._desired.catalog, pending, self._config.document(pending))
        self._operations.tell()

    def _know_datasets(self) -> None:
        """Begin to drive the datasets that the config names, and end with all others."""
        names = list(self._desired.catalog.datasets)
        self._ledger.begin(names, self._serving.entries)
        self._schedule.know(names)

    def _start_due(self) -> None:
        now = self._clock()
        for name in self._schedule.due(now):
            if not self._ledger.progress[name].is_looking:
                self._schedule.begin(name)
                self._ledger.progress[name].begin(now)
                self._pool.submit(self._do, self._task(name))

    def _task(self, name: str) -> Task:
        task = Task(
            name,
            self._desired,
            self._ledger.state[name],
            is_pending=name in self._serving.pending(self._desired),
            overtaken=self._schedule.overtaken(name),
            quarantined=self._ledger.look_at_quarantine(name).digests,
        )
        return carried_on(task)

    def _do(self, task: Task) -> None:
        done = self._work.do(task)
        note_refresh(self._tracing, done)
        self._events.put(partial(self._take, done))

    def _take_events(self) -> None:
        """Wait for one event, at most a heartbeat, and take all that are there."""
        try:
            self._events.get(timeout=HEARTBEAT_SECONDS)()
        except queue.Empty:
            return
        while not self._events.empty():
            self._events.get()()

    def _take(self, done: Done) -> None:
        name = done.task.name
        if name in self._ledger.progress:
            self._ledger.progress[name].end(is_asked=done.task.is_asked)
        if name in self._finished:  # an operator's and the source's: one swap for each
            self._settle()
        self._finished[name] = done

    def _settle(self) -> None:
        finished, self._finished = self._finished, {}
        self._outcomes.settle(self._desired, finished)
        for name, done in finished.items():
            if name in self._schedule:
                self._schedule.plan(
                    self._desired.catalog.datasets[name],
                    self._ledger.state[name].attempt,
                    self._clock(),
                    is_overtaken=done.is_overtaken,
                    is_now=name in self._outcomes.again,
                )
                self._outcomes.again.discard(name)

    def _make_all_due(self) -> None:
        log.event("checking_everything")
        self._schedule.make_all_due()

    def _ask(self, action: Action, answer: Future[Result]) -> None:
        is_known = action.dataset in self._schedule
        task = self._task(action.dataset) if is_known else None
        if self._operations.begin(action, answer, task) and task is not None:
            self._asked.submit(self._check, action, replace(task, wish="follow", target=None))

    def _check(self, action: Action, task: Task) -> None:
        verdict = self._operations.check(action, task)
        self._events.put(partial(self._carry_out, verdict, action))

    def _carry_out(self, verdict: Allowed | Result, action: Action) -> None:
        name = action.dataset
        if isinstance(verdict, Result):
            self._operations.end(name, verdict)
            return
        if name not in self._ledger.state:
            self._operations.end_gone(name)
            return
        if is_outdated(verdict, self._ledger.state[name]):
            self._operations.end_outdated(Done(verdict.task))
            return
        if not self._operations.put_away(verdict, self._clock()):
            return
        known = before_work(verdict, self._ledger.state[name])
        self._ledger.change(name, known)
        self._ledger.look_at_quarantine(name)  # so that it is told, and held against what is built
        self._keep_book()  # what was decided outlives whatever happens from here on
        if not verdict.has_work:
            self._operations.end_without_work(verdict)
            return
        quarantined = verdict.task.quarantined - {verdict.accepts}
        self._asked.submit(self._do, replace(verdict.task, known=known, quarantined=quarantined))

    def _see_config(self, seen: ConfigSeen) -> None:
        """Take a changed config over at once, as far as it needs no build."""
        self._settle()
        if not self._config.take(seen, self._swapper, self._clock()) or seen.project is None:
            return
        self._desired = seen.project
        self._know_datasets()
        self._schedule.make_all_due()
        self._ledger.keep()

    def _note_step(self, name: str, step: Step) -> None:
        """Note how far the work on a dataset is; called from the pool."""
        self._events.put(partial(self._ledger.note_step, name, step))

    def _load_ahead(self, dataset: str, part_id: str) -> None:
        """Have a part that came loaded while others come, where nothing is served yet."""
        if dataset not in self._serving.entries:
            self._events.put(partial(self._link.load_ahead, dataset, part_id))

    def _keep_book(self) -> None:
        catalogs = (self._serving.catalog, self._desired.catalog)
        self._book.keep(catalogs, self._serving.documents)
        if self._ledger.is_saved:
            self._heart[Head.SAVED] = self._link.control.generation()
