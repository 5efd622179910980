"""The reloader and contracts: one that needs a build flips together with its segment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from offloader.errors import SnapshotRefused, SourceUnavailable
from tests.projects import write_yaml
from tests.service.reloading import COLUMNS, INTERVAL_SECONDS, Story, begun

WIDE: dict[str, Any] = {
    "schema": [{"name": n, "type": t} for n, t in (*COLUMNS, ("plan", "VARCHAR"))]
}
NARROW: dict[str, Any] = {"schema": [{"name": n, "type": t} for n, t in COLUMNS[:1]]}
REFUSED = SnapshotRefused("too_few_rows", "0 rows, at least 1 wanted", "publish a repaired one")


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    story = begun(tmp_path, monkeypatch, "a")
    story.settle()
    return story


def schema(story: Story, name: str = "a") -> list[str]:
    """Return the columns of the contract that a dataset is served under."""
    for document in story.main.committed["documents"]["datasets"].values():
        if document["id"] == name:
            return [column["name"] for column in document["schema"]]
    raise AssertionError(f"{name} is not served")


def config(story: Story) -> dict[str, Any]:
    """Return what the board says of the config."""
    return dict(story.main.status()["config"])


def add_endpoint(story: Story, of: str = "a") -> None:
    document = {
        "name": f"{of}_ids",
        "version": 1,
        "dataset": of,
        "params": [{"name": "id", "type": "integer"}],
        "query": {
            "select": [{"as": "id", "column": "id"}],
            "filters": [{"column": "id", "op": "eq", "param": "id"}],
        },
        "columns": ["id"],
    }
    write_yaml(story.root / "endpoints" / f"{of}_ids.yml", document)


def test_contract_and_segment_flip_together(one: Story) -> None:
    """A new endpoint needs an access path: until it is built the old contract is served."""
    add_endpoint(one)
    one.see_config()
    one.reloader.turn()
    assert one.main.committed["documents"]["endpoints"] == {}
    assert one.main.committed["desired"]["endpoints"] != {}
    assert (config(one)["pending"], one.datasets()["a"]["is_contract_pending"]) == (["a"], True)
    one.settle()
    assert list(one.main.committed["documents"]["endpoints"]) == ["endpoints/a_ids.yml"]
    assert len(one.main.committed["snapshots"]["a"]["parts"]) == 3
    assert one.main.committed["desired"] is None
    assert (config(one)["pending"], one.datasets()["a"]["is_contract_pending"]) == ([], False)
    assert one.builder.built_ids() == ["s1", "s1"]


def test_a_contract_that_no_snapshot_fits_waits_for_one_that_does(one: Story) -> None:
    """The old one goes on; why is told as a failure of the dataset."""
    one.configure(**WIDE)
    one.settle()
    assert (schema(one), config(one)["pending"]) == (["id", "tenant"], ["a"])
    assert one.datasets()["a"]["attempt"]["code"] == "column_dropped"
    one.later()
    assert one.builder.built() == ["a"]
    one.configure(**NARROW)
    one.settle()
    assert (schema(one), config(one)["pending"]) == (["id"], [])
    assert one.main.committed_ids == {"a": "s1"}


def test_a_new_snapshot_comes_under_the_new_contract(one: Story) -> None:
    """Published together with the config: one build, one swap."""
    one.publish("a", "s2", minutes=2)
    one.configure(**NARROW)
    one.settle()
    assert (schema(one), one.main.committed_ids) == (["id"], {"a": "s2"})
    assert one.builder.built_ids() == ["s1", "s2"]


@pytest.mark.parametrize("error", [REFUSED, SourceUnavailable("builder_killed", "it ended", "x")])
def test_a_bad_snapshot_does_not_keep_the_new_contract_back(one: Story, error: Exception) -> None:
    """The active one is brought under it, and the bad one stays out."""
    one.publish("a", "s2", minutes=2)
    one.builder.before = lambda _: one.builder.fails.update(
        {"a": error} if one.builder.built_ids()[-1] == "s2" else {}
    )
    one.configure(**NARROW)
    one.settle()
    assert one.main.committed_ids == {"a": "s1"}
    one.builder.fails.clear()
    one.builder.before = lambda _: one.builder.fails.update(
        {"a": error} if one.builder.built_ids()[-1] == "s2" else {}
    )
    one.later(1.11 * INTERVAL_SECONDS)
    assert (schema(one), one.main.committed_ids) == (["id"], {"a": "s1"})
    assert config(one)["pending"] == []


@pytest.mark.parametrize("how", ["missing", "older", "rolled back"])
def test_a_new_contract_needs_no_new_snapshot(one: Story, how: str) -> None:
    """Whatever the source has to say, the active snapshot is brought under it, at the first try."""
    one.publish("a", "s2", minutes=2)
    one.later()
    if how == "missing":
        one.manifest("a").unlink()
    elif how == "older":
        one.publish("a", "s0", minutes=0)
    else:
        one.act("rollback")
    active = one.main.committed_ids
    builds = len(one.builder.jobs)
    one.configure(**NARROW)
    one.settle()
    assert (schema(one), one.main.committed_ids) == (["id"], active)
    assert len(one.builder.jobs) == builds + 1
    assert "overtaken" not in one.datasets()["a"]["outcomes"]


def test_a_config_that_comes_while_a_source_is_looked_at_waits_no_interval(one: Story) -> None:
    """The look was for the old contract: another one follows at once."""
    one.now += 2 * INTERVAL_SECONDS
    one.reloader._start_due()
    one.configure(**NARROW)
    one.reloader.turn()
    one.settle()
    assert (schema(one), config(one)["pending"]) == (["id"], [])


def test_a_build_for_an_older_contract_is_dropped(one: Story) -> None:
    """What the config asks for by now is built instead, at once."""

    def meanwhile(_: str) -> None:
        one.builder.before = lambda _: None
        one.configure(**NARROW)
        one.reloader.turn()

    one.builder.before = meanwhile
    one.publish("a", "s2", minutes=2)
    one.later()
    assert (schema(one), one.main.committed_ids) == (["id"], {"a": "s2"})
    assert one.main.prepared == [{"a": "s1"}, {"a": "s1"}, {"a": "s2"}]


def test_what_the_config_wants_outlives_the_reloader(one: Story) -> None:
    """Main keeps it, also where nothing of it could be served yet."""
    one.configure(**WIDE)
    one.reloader.turn()
    assert schema(one) == ["id", "tenant"]
    one.begin()
    one.settle()
    assert config(one)["pending"] == ["a"]
    assert one.datasets()["a"]["attempt"]["code"] == "column_dropped"
