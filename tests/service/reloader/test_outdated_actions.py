"""An action whose ground changed while it was carried out: what the operator is told."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path

import pytest

from offloader.service.actions import Action, Kind, Result
from offloader.service.cache import Cache
from offloader.service.lease import lease
from offloader.service.reloader.operations import Operations
from offloader.service.reloader.task import Done, Found, Task
from offloader.service.state import DatasetState
from offloader.service.timeline import Timeline
from tests.catalog.manifests import parse, valid
from tests.projects import usage_project
from tests.service.building import loaded
from tests.service.looking import lookout_of


def outdated(folder: Path, kind: Kind, served_then: str) -> Result:
    """Return the answer to an action that found `new` while another snapshot was swapped in."""
    project, cache = loaded(usage_project(folder / "project", rows=3).root), Cache(folder / "cache")
    cache.prepare()
    served = ["old"]
    operations = Operations(lookout_of(cache), lambda _: served[0], Timeline(lambda: 5.0))
    task = Task("usage", project, DatasetState(), is_asked=True)
    answer: Future[Result] = Future()
    assert operations.begin(Action(kind, "usage", "tests"), answer, task)
    served[0] = served_then
    with lease(cache, "usage", [], []) as held:
        found = Found(parse(valid(snapshot_id="new")), {}, "", held)
        operations.end_outdated(Done(task, found))
    operations.tell()
    return answer.result(timeout=0)


@pytest.mark.parametrize("kind", ["refresh", "unpin", "rollback", "quarantine"])
def test_what_a_look_was_quicker_with_is_done(tmp_path: Path, kind: Kind) -> None:
    """It has succeeded when the snapshot that it led to is served, whoever swapped it in."""
    done = outdated(tmp_path, kind, "new")
    assert (done.outcome, done.from_snapshot, done.to_snapshot) == ("done", "old", "new")


def test_an_unpin_is_done_whatever_came_in_between(tmp_path: Path) -> None:
    """The pin is gone: to say otherwise would have the operator look for it."""
    done = outdated(tmp_path, "unpin", "other")
    assert (done.outcome, done.from_snapshot, done.to_snapshot) == ("done", "old", "other")


@pytest.mark.parametrize(
    ("kind", "served"),
    [
        ("refresh", "other"),
        ("rollback", "other"),
        ("quarantine", "other"),
        ("pin", "new"),
        ("rebuild", "new"),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, kind: Kind, served: str) -> None:
    """Another snapshot came in between, or the wish itself was not noted: ask again."""
    refused = outdated(tmp_path, kind, served)
    assert (refused.outcome, refused.code) == ("refused", "dataset_changed")
