"""What is remembered of failed work, and when it is tried again."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from offloader.errors import SnapshotRefused, SourceUnavailable
from offloader.service.cache import Cache
from offloader.service.reloader.attempts import (
    back_off_seconds,
    contract_of,
    failed,
    is_known_failure,
    reason_of,
)
from offloader.service.state import Attempt, DatasetState
from tests.projects import UsageProject, usage_dataset, usage_project, write_yaml
from tests.service.building import loaded
from tests.service.looking import look


@pytest.fixture
def project(tmp_path: Path) -> UsageProject:
    return usage_project(tmp_path / "project", rows=3)


def contract(project: UsageProject) -> str:
    found = loaded(project.root)
    return contract_of(found.catalog, found.catalog.datasets["usage"])


def attempt(**changes: object) -> Attempt:
    return replace(Attempt(), **changes)  # type: ignore[arg-type]


def after(error: SnapshotRefused | SourceUnavailable, failures: int = 0) -> Attempt:
    """Return what is remembered of a failure after so many others."""
    known = DatasetState(attempt=attempt(failures=failures))
    return failed(known, error, manifest=None, contract="c", now=5.0, seconds=0.12345)


def test_a_refusal_is_final_and_a_failure_is_counted() -> None:
    """Only transient failures count, in a row."""
    refusal = after(SnapshotRefused("too_old", "old", "publish"), failures=3)
    assert (refusal.code, refusal.is_final, refusal.failures) == ("too_old", True, 0)
    failure = after(SourceUnavailable("disk_full", "full", "free some"), failures=3)
    assert (failure.code, failure.is_final, failure.failures) == ("disk_full", False, 4)
    assert (failure.at, failure.duration_seconds) == (5.0, 0.123)


def test_a_message_is_remembered_up_to_a_limit() -> None:
    """A message of any length fits the state file and the board."""
    long = after(SourceUnavailable("internal", "x" * 10_000_000))
    assert long.message == "x" * 2000


def test_a_known_failure_is_of_one_manifest_under_one_contract(
    project: UsageProject, tmp_path: Path
) -> None:
    """Another manifest, another contract, or a transient failure: it is worth another try."""
    found = loaded(project.root)
    dataset = found.catalog.datasets["usage"]
    manifest = look(found, dataset, Cache(tmp_path / "cache")).manifest
    final = attempt(is_final=True, manifest_digest=manifest.digest, contract="c")
    assert is_known_failure(DatasetState(attempt=final), manifest, "c")
    for other in (
        replace(final, manifest_digest="another"),
        replace(final, contract="another"),
        replace(final, is_final=False),
    ):
        assert not is_known_failure(DatasetState(attempt=other), manifest, "c")


def test_the_contract_changes_with_guards_and_paths(project: UsageProject) -> None:
    """What decides whether a snapshot can be served is in the contract's digest; keys are not."""
    before = contract(project)
    (project.root / "endpoints" / "usage_rows.yml").unlink()
    write_yaml(project.root / "keys" / "keys.yml", {"keys": []})
    without_paths = contract(project)
    document = usage_dataset() | {"guards": {"min_rows": 1}}
    write_yaml(project.root / "datasets" / "usage.yml", document)
    assert len({before, without_paths, contract(project)}) == 3
    document = usage_dataset() | {"description": "in other words", "pin": "s0001"}
    write_yaml(project.root / "datasets" / "usage.yml", document)
    assert contract(project) == without_paths


@pytest.mark.parametrize(
    ("known", "least", "most"),
    [
        (attempt(), 27, 33),
        (attempt(is_final=True, manifest_digest="m"), 27, 33),
        (attempt(failures=1), 0.75, 1.25),
        (attempt(failures=3), 3, 5),
        (attempt(failures=6), 22.5, 37.5),
        (attempt(failures=1000), 22.5, 37.5),
        (attempt(failures=1, manifest_digest="m"), 0.75, 1.25),
        (attempt(failures=6, manifest_digest="m"), 24, 40),
        (attempt(failures=1000, manifest_digest="m"), 225, 375),
    ],
)
def test_pauses_are_bounded(known: Attempt, least: float, most: float) -> None:
    """The interval give or take a tenth; after failures a doubling pause, up to its bound."""
    chance = random.Random(1)
    pauses = [back_off_seconds(known, 30, chance) for _ in range(500)]
    width = most - least
    assert least <= min(pauses) < least + 0.1 * width
    assert most - 0.1 * width < max(pauses) <= most


def test_a_long_interval_bounds_the_pauses_of_failed_work() -> None:
    """Where looks are an hour apart, failed builds are no closer in the end."""
    known = attempt(failures=1000, manifest_digest="m")
    pauses = [back_off_seconds(known, 3600, random.Random(n)) for n in range(100)]
    assert 2700 <= min(pauses) <= max(pauses) <= 4500


def test_what_nobody_foresaw_is_transient_and_its_traceback_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever went wrong is told by its kind alone; what was foreseen is passed on as it is."""
    refused = SnapshotRefused("too_old", "old", "publish")
    assert reason_of(refused) is refused
    assert caplog.records == []
    reason = reason_of(ZeroDivisionError("oh"))
    assert isinstance(reason, SourceUnavailable)
    assert (reason.code, reason.message) == (
        "internal",
        "a fault of the service: ZeroDivisionError",
    )
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError
