"""Operators' actions under way: at most one for a dataset, each ends with an audit line."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from offloader.errors import SourceUnavailable
from offloader.service import log
from offloader.service.actions import Action, Outcome, Result
from offloader.service.lookout import Lookout
from offloader.service.quarantine import Mark, lift, mark
from offloader.service.reloader.attempts import reason_of
from offloader.service.reloader.operator import Allowed, Refusal, allow, audit
from offloader.service.reloader.task import Done, Task
from offloader.service.timeline import Timeline


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One action that is being carried out; `from_snapshot` was served when it was asked for."""

    action: Action
    answer: Future[Result]
    from_snapshot: str | None


class Operations:
    """The actions under way, by dataset. The reloader's own thread alone uses it."""

    def __init__(
        self, lookout: Lookout, served_id: Callable[[str], str | None], timeline: Timeline
    ) -> None:
        self._lookout = lookout
        self._timeline = timeline
        self._served_id = served_id
        self._running: dict[str, Operation] = {}
        self._answers: list[tuple[Future[Result], Result]] = []

    def begin(self, action: Action, answer: Future[Result], task: Task | None) -> bool:
        """Take an action on; False when it was refused at once. `task` is None if unknown."""
        if task is None:
            known = "no dataset of the project has this id"
            self._refuse(action, answer, "unknown_dataset", known, "see /status for the datasets")
            return False
        if action.dataset in self._running:
            before = self._running[action.dataset].action.kind
            message = f"{before} is under way for this dataset"
            self._refuse(action, answer, "action_running", message, "wait for it, then ask again")
            return False
        self._running[action.dataset] = Operation(action, answer, self._served_id(action.dataset))
        return True

    def check(self, action: Action, task: Task) -> Allowed | Result:
        """Ask the rules, and the source where they need it. Runs in the pool."""
        try:
            return allow(action, task, self._lookout)
        except Refusal as refusal:
            served = self._served_id(action.dataset)
            return Result("refused", refusal.message, refusal.code, refusal.hint, served, served)
        except Exception as error:
            served, why = self._served_id(action.dataset), reason_of(error)
            return Result("failed", why.message, why.code, why.hint, served, served)

    def put_away(self, allowed: Allowed, now: float) -> bool:
        """Mark the snapshot that is quarantined, lift the mark of one that is accepted.

        When that cannot be written the action ends as failed, and this is False.
        """
        action, away = allowed.action, allowed.away
        try:
            if allowed.accepts:
                lift(self._lookout.cache, action.dataset, allowed.accepts)
            if away is not None:
                digest = away.manifest_digest
                made = Mark(away.snapshot_id, digest, action.reason, action.by, now)
                mark(self._lookout.cache, action.dataset, made)
        except (OSError, SourceUnavailable) as error:
            log.error("quarantine_not_written", dataset=action.dataset, reason=str(error))
            served, hint = self._served_id(action.dataset), "check the cache volume, then ask again"
            message = "the quarantine on the cache volume cannot be changed"
            code = "quarantine_not_written"
            self.end(action.dataset, Result("failed", message, code, hint, served, served))
            return False
        return True

    def end(self, name: str, result: Result) -> None:
        """Answer the action of a dataset."""
        operation = self._running.pop(name)
        if operation.action.kind == "unpin" and result.outcome == "done":
            served = result.to_snapshot or ""
            self._timeline.add("unpinned", name, by="operator", to_snapshot=served)
        audit(operation.action, result)
        self._answers.append((operation.answer, result))

    def tell(self) -> None:
        """Give the answers to who waits: what was done is written and shown by now."""
        answers, self._answers = self._answers, []
        for answer, result in answers:
            answer.set_result(result)

    def end_by(self, done: Done, generation: int = 0) -> None:
        """Answer the action that a finished task was for, if any."""
        name = done.task.name
        if not done.task.is_asked or name not in self._running:
            return
        operation = self._running[name]
        before, now = operation.from_snapshot, self._served_id(name)
        attempt = done.attempt
        if operation.action.kind == "unpin" and not generation:
            message = attempt.message or _WHY[done.stay]
            message = f"the dataset follows its source again: {message}"
            result = Result("done", message, attempt.code, attempt.hint, before, now)
        elif attempt.code:
            outcome: Outcome = "refused" if attempt.is_final else "failed"
            result = Result(outcome, attempt.message, attempt.code, attempt.hint, before, now)
        elif generation:
            message = f"{now} is served on every worker"
            result = Result("done", message, "", "", before, now, generation)
        else:
            result = Result("unchanged", _WHY[done.stay], "", "", before, now)
        self.end(name, result)

    def end_without_work(self, allowed: Allowed) -> None:
        """Answer an action that only changed what is known."""
        served = self._served_id(allowed.action.dataset)
        away = allowed.away.snapshot_id if allowed.away is not None else ""
        self._timeline.add(
            "quarantined" if away else "pinned",
            allowed.action.dataset,
            by="operator",
            from_snapshot=away,
            to_snapshot=served or "",
        )
        message = f"pinned to {served}"
        if allowed.away is not None:
            message = f"{allowed.away.snapshot_id} is quarantined, and was not served"
        self.end(allowed.action.dataset, Result("done", message, "", "", served, served))

    def end_pinned(self, name: str) -> None:
        """Answer a pin of the snapshot that is served by now."""
        if name in self._running:
            before, served = self._running[name].from_snapshot, self._served_id(name)
            self.end(name, Result("done", f"pinned to {served}", "", "", before, served))

    def end_outdated(self, done: Done) -> None:
        """Answer the action whose ground changed while it was carried out."""
        name = done.task.name
        if not done.task.is_asked or name not in self._running:
            return
        operation, served = self._running[name], self._served_id(name)
        # A look that began meanwhile was quicker: it found the same, or carried out the decision.
        if operation.action.kind in _LOOKS_DO_TOO and served == _found_id(done):
            message = f"{served} is served on every worker"
            self.end(name, Result("done", message, "", "", operation.from_snapshot, served))
            return
        if operation.action.kind == "unpin":  # that it is, whatever came in between
            message = "the dataset follows its source again"
            self.end(name, Result("done", message, "", "", operation.from_snapshot, served))
            return
        message = "another snapshot or config came in between"
        hint = "look at what is served now, then ask again"
        self.end(name, Result("refused", message, "dataset_changed", hint, served, served))

    def end_gone(self, name: str) -> None:
        """Answer the action on a dataset that the config does not name any more."""
        if name in self._running:
            self.end(name, Result("refused", "the config dropped this dataset", "unknown_dataset"))

    def _refuse(
        self, action: Action, answer: Future[Result], code: str, message: str, hint: str
    ) -> None:
        result = Result("refused", message, code, hint)
        audit(action, result)
        self._answers.append((answer, result))


def _found_id(done: Done) -> str | None:
    return done.found.manifest.snapshot_id if done.found is not None else None


_LOOKS_DO_TOO = ("refresh", "unpin", "rollback", "quarantine")
_WHY = {
    "": "nothing had to change",
    "served": "the newest snapshot is served already",
    "pinned": "the dataset stays on its pinned snapshot",
    "rolled_back": "the newest snapshot was rolled back: a newer one must be published",
    "quarantined": "the newest snapshot is quarantined: a newer one must be published",
    "refused_before": "the newest snapshot was refused before: publish a repaired one",
}
