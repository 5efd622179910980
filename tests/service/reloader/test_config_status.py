"""What is known of a config in a bucket: since when it fails, and that it is told once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from offloader.catalog.documents import parse_documents
from offloader.errors import Problem
from offloader.service.config.boot import Origin, Trouble
from offloader.service.project import Project
from offloader.service.reloader.config_status import ConfigStatus
from offloader.service.reloader.config_watch import ConfigSeen
from offloader.service.reloader.main_link import Refused
from offloader.service.timeline import Timeline
from offloader.stores.location import Location
from offloader.stores.store import busy, unreachable
from tests.catalog.project_documents import valid_documents

PLACE = Location("gs", "bucket", "project")
PROBLEM = Problem("offloader.yml", "version", "version_unsupported", "no", "yes")
DOWN = unreachable("gs://bucket", "no route")
REVISION = "r1"


class Swaps:
    """A swapper that answers as it is told."""

    result: Refused | None = None

    def swap(self, *_: object) -> Refused | None:
        """Swap a project in."""
        return self.result


@pytest.fixture
def swaps() -> Any:
    return Swaps()


def begun(trouble: Trouble | None = None) -> ConfigStatus:
    """Return what is known after a start at 1000 with what was fetched at 900."""
    origin = Origin(PLACE, 900.0, 1000.0, trouble)
    timeline = Timeline(lambda: 1000.0)
    return ConfigStatus.begin(REVISION, origin, is_watched=True, timeline=timeline)


def seen(on_applied: Callable[[], None] = lambda: None) -> ConfigSeen:
    """Return a valid project of a bucket."""
    documents = valid_documents()
    project = Project(Path("/nowhere"), documents, parse_documents(documents), PLACE)
    return ConfigSeen(project, fetched_at=2000.0, on_applied=on_applied)


def shown(status: ConfigStatus) -> tuple[bool, list[str], str | None, float]:
    """Return whether it is well, the codes of problems and error, and since when it is not."""
    document = status.document(())
    codes = [problem["code"] for problem in document["problems"]]
    error = document["error"]["code"] if document["error"] else None
    return document["ok"], codes, error, document["failing_at"]


def test_a_start_on_the_newest_config_is_well() -> None:
    """It says where it came from, and from when it is."""
    status = begun()
    assert shown(status) == (True, [], None, 0.0)
    document = status.document(())
    assert (document["location"], document["fetched_at"]) == ("gs://bucket/project", 900.0)


@pytest.mark.parametrize(
    ("trouble", "expected"),
    [
        (Trouble(950.0, (PROBLEM,)), (False, ["version_unsupported"], None, 950.0)),
        (
            Trouble(950.0, error=("bucket_missing", "no", "yes")),
            (False, [], "bucket_missing", 950.0),
        ),
    ],
)
def test_a_start_on_the_last_good_config_is_not(
    trouble: Trouble, expected: tuple[object, ...], swaps: Any
) -> None:
    """Until a look succeeds."""
    status = begun(trouble)
    assert shown(status) == expected
    assert status.take(seen(), swaps, 2000.0)
    assert shown(status) == (True, [], None, 0.0)
    assert status.document(())["fetched_at"] == 2000.0


def test_an_outage_is_told_once(swaps: Any, caplog: pytest.LogCaptureFixture) -> None:
    """And again when its reason is another; its end is told, too."""
    caplog.set_level("INFO", "offloader")
    status = begun()
    for now, error in ((1.0, DOWN), (2.0, DOWN), (3.0, busy("gs://bucket", 503))):
        assert not status.take(ConfigSeen(None, failure=error), swaps, now)
    assert shown(status) == (False, [], "store_busy", 1.0)
    assert not status.take(ConfigSeen(None), swaps, 4.0)
    assert shown(status) == (True, [], None, 0.0)
    assert [record.getMessage() for record in caplog.records] == [
        "config_unreachable",
        "config_unreachable",
        "config_reachable",
    ]


def test_an_outage_hides_no_problem(swaps: Any, caplog: pytest.LogCaptureFixture) -> None:
    """What was wrong before is wrong afterwards, since then, and is not logged again."""
    status = begun()
    status.take(ConfigSeen(None, (PROBLEM,)), swaps, 1.0)
    status.take(ConfigSeen(None, failure=DOWN), swaps, 2.0)
    assert shown(status) == (False, ["version_unsupported"], "store_unreachable", 1.0)
    status.take(ConfigSeen(None), swaps, 3.0)
    assert shown(status) == (False, ["version_unsupported"], None, 1.0)
    names = [record.getMessage() for record in caplog.records]
    assert names == ["config_refused", "config_unreachable"]


def test_only_what_is_in_effect_is_kept_for_restarts(swaps: Any) -> None:
    """What main refuses is tried again, also after an outage in between."""
    status, applied = begun(), list[int]()
    swaps.result = Refused("memory_limit", "too large", "less")
    config = seen(lambda: applied.append(1))
    assert not status.take(config, swaps, 1.0)
    assert status.waiting is config
    status.take(ConfigSeen(None, failure=DOWN), swaps, 2.0)
    status.take(ConfigSeen(None), swaps, 3.0)
    assert applied == []
    assert status.again(20.0) is config
    swaps.result = None
    assert status.take(config, swaps, 20.0)
    assert applied == [1]
