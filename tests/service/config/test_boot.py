"""A start with a project in a bucket: the newest revision, else the last good one, else why not."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dev.emulators import GcsEmulator
from offloader.catalog.documents import load_catalog
from offloader.errors import ConfigError
from offloader.service.cache import Cache
from offloader.service.config.boot import Fetching, Origin
from offloader.service.config.revisions import Revisions
from offloader.service.project import Project
from offloader.stores.access import Access
from offloader.stores.location import Location
from tests.projects import usage_project

KEY = "of/project"


@dataclass(slots=True)
class Start:
    """A project in a bucket of an emulator, and a cache volume."""

    emulator: GcsEmulator
    place: Location
    cache: Cache
    access: Access

    def put(self, name: str, content: bytes) -> None:
        """Write an object of the project."""
        self.emulator.put(self.place.root, f"{KEY}/{name}", content)

    def remove(self, name: str) -> None:
        """Remove an object of the project."""
        self.emulator.delete(self.place.root, f"{KEY}/{name}")

    def open(self, with_fallback: float = 60.0, without: float = 60.0) -> tuple[Project, Origin]:
        """Open the project as main does, within so many seconds."""
        limits = (with_fallback, without)
        fetching = Fetching(self.place, self.access, self.cache, limits_seconds=limits)
        return fetching.project()

    def refused(self, without: float = 60.0) -> list[tuple[str, str]]:
        """Return why it cannot be opened: place and code of each problem."""
        with pytest.raises(ConfigError) as raised:
            self.open(without=without)
        return [(one.path or one.file, one.code) for one in raised.value.problems]


@pytest.fixture
def start(gcs: GcsEmulator, bucket: str, tmp_path: Path) -> Start:
    project, cache = usage_project(tmp_path / "project", rows=10), Cache(tmp_path / "cache")
    cache.prepare()
    gcs.make_bucket(bucket)
    gcs.put_folder(bucket, KEY, project.root)
    return Start(gcs, Location("gs", bucket, KEY), cache, gcs.access)


def test_the_newest_project_is_opened(start: Start, tmp_path: Path) -> None:
    """It means what the folder means, and its paths are relative to the prefix."""
    project, origin = start.open()
    assert (project.catalog, project.documents) == load_catalog(tmp_path / "project")[::1]
    assert project.base == start.place == origin.place
    assert origin.trouble is None
    assert origin.fetched_at <= origin.opened_at <= time.time()


def test_a_wrong_project_leaves_the_last_good_one(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """A replica that restarts while somebody pushed nonsense comes up all the same, and says so."""
    good, first = start.open()
    start.put("datasets/usage.yml", b"id: usage\npin: a b\n")
    project, origin = start.open()
    assert project == good
    assert origin.fetched_at == first.fetched_at
    assert origin.trouble is not None
    codes = {problem.code for problem in origin.trouble.problems}
    assert {"bad_snapshot_id", "missing_key"} <= codes
    (line,) = [record for record in caplog.records if record.getMessage() == "config_fallback"]
    fields = line.__dict__["fields"]
    assert (line.levelname, fields["code"]) == ("WARNING", "config_invalid")
    assert any("[bad_snapshot_id]" in problem for problem in fields["problems"])
    start.put("datasets/usage.yml", (good.root / "datasets/usage.yml").read_bytes())
    assert start.open()[1].trouble is None


def test_a_refused_listing_leaves_the_last_good_one(start: Start) -> None:
    """What cannot even be fetched is a wrong project, too."""
    good, _ = start.open()
    start.put("datasets/..\\x.yml", b"")
    project, origin = start.open()
    assert project == good
    assert origin.trouble is not None
    assert [problem.code for problem in origin.trouble.problems] == ["object_name_invalid"]


def test_a_bucket_that_is_gone_leaves_the_last_good_one(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """With the reason, and since when the config is."""
    good, first = start.open()
    for key in start.emulator.keys(start.place.root):
        start.emulator.delete(start.place.root, key)
    start.emulator.client.bucket(start.place.root).delete()
    project, origin = start.open()
    assert project == good
    assert origin.trouble is not None
    assert (origin.trouble.problems, origin.fetched_at) == ((), first.fetched_at)
    assert origin.trouble.error is not None
    assert origin.trouble.error[0] == "bucket_missing"
    (line,) = [record for record in caplog.records if record.getMessage() == "config_fallback"]
    assert line.__dict__["fields"]["location"] == str(start.place)


def test_another_project_is_nothing_to_fall_back_on(start: Start) -> None:
    """Somebody changed OFFLOADER_CONFIG: what was served before is not served under that name."""
    start.open()
    start.place = replace(start.place, key="of/another")
    assert start.refused() == [("offloader.yml", "project_missing")]


def test_without_a_last_good_one_every_problem_is_told(start: Start) -> None:
    """As for a folder."""
    start.put("datasets/usage.yml", b"id: usage\npin: a b\n")
    start.put("offloader.yml", b"version: 2\nkeys: keys/keys.yml\n")
    assert {code for _, code in start.refused()} >= {"bad_snapshot_id", "version_unsupported"}


def test_a_damaged_last_good_one_is_not_used(start: Start) -> None:
    """Better no start than one with somebody else's keys."""
    project, _ = start.open()
    (project.root / "keys" / "keys.yml").write_bytes(b"keys: []\n")
    start.access = replace(start.access, gcs_emulator_url="http://127.0.0.1:9")
    assert start.refused(without=0.0) == [("OFFLOADER_CONFIG", "config_fetch_timeout")]


def test_a_bucket_that_hangs_is_not_waited_for(start: Start) -> None:
    """The last good one is opened once the time is over; the fetch is killed."""
    good, _ = start.open()
    start.access = replace(start.access, gcs_emulator_url="http://127.0.0.1:9")
    project, origin = start.open(with_fallback=0.0)
    assert project == good
    assert origin.trouble is not None
    assert origin.trouble.error is not None
    assert origin.trouble.error[0] == "config_fetch_timeout"


def test_a_fetch_that_dies_is_told(start: Start) -> None:
    """With its exit code."""
    fetching = Fetching(start.place, start.access, start.cache)
    fetching._process.kill()
    with pytest.raises(ConfigError) as raised:
        fetching.project()
    (problem,) = raised.value.problems
    assert problem.code == "config_fetch_killed"
    assert "-9" in problem.message


def test_what_was_put_into_effect_later_is_known(start: Start) -> None:
    """A reloader that starts again is told of the start long ago; a sync has healed it since."""
    _, origin = start.open()
    revisions = Revisions(start.cache.root, start.place)
    revision = revisions.last_good()
    assert revision is not None
    assert origin.as_of_now(revisions) is origin
    start.put("datasets/usage.yml", b"nonsense")
    _, troubled = start.open()
    assert troubled.as_of_now(revisions).trouble is not None
    revisions.use(revision, troubled.opened_at + 1)
    assert troubled.as_of_now(revisions) == replace(troubled, trouble=None)


def test_main_imports_no_client_library() -> None:
    """It asks no network, and has nothing to do it with."""
    script = (
        "import sys, offloader.cli.serve, offloader.service.config.boot, offloader.web.serve;"
        " print([name for name in ('google.cloud.storage', 'botocore', 'urllib3', 'pyarrow')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout == b"[]\n"
