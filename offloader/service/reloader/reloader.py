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
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event

from offloader.catalog.documents import parse_documents
from offloader.service import log
from offloader.service.actions import Action, Result
from offloader.service.cache import Cache
from offloader.service.collect import collect
from offloader.service.lease import release
from offloader.service.project import Project
from offloader.service.reloader.attempts import back_off_seconds
from offloader.service.reloader.config_status import ConfigStatus
from offloader.service.reloader.config_watch import ConfigSeen
from offloader.service.reloader.decide import needs_accept
from offloader.service.reloader.ledger import Ledger
from offloader.service.reloader.main_link import MainLink
from offloader.service.reloader.operations import Operations
from offloader.service.reloader.operator import Allowed, before_work, is_outdated
from offloader.service.reloader.outcomes import Outcomes
from offloader.service.reloader.reporter import Reporter
from offloader.service.reloader.serving import Serving
from offloader.service.reloader.swap import Swapper
from offloader.service.reloader.task import Done, Step, Task
from offloader.service.reloader.work import Build, Work
from offloader.service.state import Held
from offloader.shared.slots import Head

LOOKS_AT_ONCE = 64  # threads: most of them wait, for a source or for their turn to build
ACTIONS_AT_ONCE = 16  # as many as the action server takes
HEARTBEAT_SECONDS = 0.5
COLLECT_AGAIN_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Station:
    """Where a reloader works: its project, its cache volume, its state file on it."""

    project: Project
    cache: Cache
    state: Path
    refresh_seconds: float
    is_config_watched: bool = False
    threads: int = 1
    instance: int = 0


class Reloader:
    """Drives every dataset of one project; `build` runs one build to its end."""

    def __init__(
        self,
        station: Station,
        link: MainLink,
        build: Build,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._station = station
        self._cache = station.cache
        self._link = link
        self._clock = clock
        # Not queue.Queue: a signal handler may put too, while the same thread takes.
        self._events: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._pool = ThreadPoolExecutor(LOOKS_AT_ONCE, thread_name_prefix="look")
        # Their own: an operator must not wait behind a thread that waits for its turn to build.
        self._asked = ThreadPoolExecutor(ACTIONS_AT_ONCE, thread_name_prefix="action")
        self._chance = random.Random(os.getpid())
        self._serving = Serving(self._cache, link.committed)
        self._swapper = Swapper(self._cache, link, self._serving)
        self._ledger = Ledger(self._cache, station.state, clock)
        self._operations = Operations(self._cache, self._serving.snapshot_id)
        self._outcomes = Outcomes(self._cache, self._ledger, self._swapper, self._operations)
        self._work = Work(
            self._cache,
            build,
            threads=station.threads,
            clock=clock,
            on_step=self._note_step,
            aside=str(station.instance),
        )
        documents = link.committed.get("desired") or self._serving.documents
        self._desired = Project(station.project.root, documents, parse_documents(documents))
        self._config = ConfigStatus(station.is_config_watched, self._desired.catalog.revision)
        self._reporter = Reporter(
            link.slots.board, self._cache, self._ledger, clock, station.instance
        )
        self._overtaken: dict[str, int] = {}
        self._finished: dict[str, Done] = {}
        self._collect_at = 0.0
        self._due: dict[str, float] = {}
        self._heart = link.slots.reloader()
        self._know_datasets()
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
        pending = self._serving.pending(self._desired)
        self._reporter.report(self._desired.catalog, pending, self._config.document(pending))
        self._operations.tell()

    def _know_datasets(self) -> None:
        """Begin to drive the datasets that the config names, and end with all others."""
        names = list(self._desired.catalog.datasets)
        self._ledger.begin(names, self._serving.entries)
        self._due = {name: self._due.get(name, 0.0) for name in names}

    def _start_due(self) -> None:
        now = self._clock()
        for name, due in self._due.items():
            if due <= now and not self._ledger.progress[name].is_looking:
                self._due[name] = float("inf")
                self._ledger.progress[name].begin(now)
                self._pool.submit(self._do, self._task(name))

    def _task(self, name: str) -> Task:
        known = self._ledger.state[name]
        task = Task(
            name,
            self._desired,
            known,
            is_pending=name in self._serving.pending(self._desired),
            overtaken=self._overtaken.get(name, 0),
            quarantined=self._ledger.look_at_quarantine(name).digests,
        )
        active, previous = known.active, known.previous
        if active is None or previous is None or active.manifest_digest == known.accepted:
            return task
        why = needs_accept(known, active.manifest_digest, task.quarantined)
        if why is None or previous.manifest_digest in task.quarantined:
            return task
        # Decided before this reloader, or by another instance: to be carried out.
        return replace(
            task, wish="rollback" if why == "rolled_back" else "quarantine", target=previous
        )

    def _do(self, task: Task) -> None:
        done = self._work.do(task)
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
            if name in self._due:
                self._overtaken[name] = self._overtaken.get(name, 0) + 1 if done.is_overtaken else 0
                self._plan_next(name)

    def _plan_next(self, name: str) -> None:
        dataset = self._desired.catalog.datasets[name]
        interval_seconds = dataset.refresh_interval_seconds or self._station.refresh_seconds
        attempt = self._ledger.state[name].attempt
        pause_seconds = back_off_seconds(attempt, interval_seconds, self._chance)
        is_now = name in self._outcomes.again
        self._outcomes.again.discard(name)
        # Not later than what was asked for while it was worked on.
        due = self._clock() + (0.0 if is_now else pause_seconds)
        self._due[name] = min(self._due[name], due)

    def _make_all_due(self) -> None:
        log.event("checking_everything")
        self._due = dict.fromkeys(self._due, 0.0)

    def _ask(self, action: Action, answer: Future[Result]) -> None:
        is_known = action.dataset in self._due
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
        self._due = dict.fromkeys(self._due, 0.0)
        self._ledger.keep()

    def _note_step(self, name: str, step: Step) -> None:
        """Note how far the work on a dataset is; called from the pool."""
        self._events.put(partial(self._ledger.note_step, name, step))

    def _keep_book(self) -> None:
        """Write the state if it changed, then let go of what no state names any more."""
        catalogs = (self._serving.catalog, self._desired.catalog)
        self._ledger.save_if_due(catalogs, self._serving.documents)
        if not self._ledger.is_saved:
            return
        leases, self._outcomes.leases = self._outcomes.leases, []
        for one in leases:
            release(one)
        now = self._clock()
        if self._outcomes.is_littered or now >= self._collect_at:
            # Once more later, for the youngest files are never removed.
            self._collect_at = now + COLLECT_AGAIN_SECONDS
            self._outcomes.is_littered = False
            self._pool.submit(self._collect, self._ledger.saved.holds)

    def _collect(self, holds: Mapping[str, Held]) -> None:
        found = collect(self._cache, holds, self._station.state, self._clock())
        if found.files:
            log.event("cache_collected", files=found.files, bytes=found.bytes)
