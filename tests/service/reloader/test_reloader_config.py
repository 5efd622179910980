"""The reloader and the config: what counts at once, what waits for a build, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from offloader.errors import SnapshotRefused
from offloader.service.reloader.main_link import Refused
from tests.projects import write_yaml
from tests.service.composing import key
from tests.service.reloading import COLUMNS, Story, begun, dataset_document

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


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    story = begun(tmp_path, monkeypatch, "a", "b")
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


def test_what_needs_no_build_counts_at_once(one: Story) -> None:
    """One generation, no look at any source, and the board names the new revision."""
    before = config(one)["revision"]
    one.configure(description="in other words")
    one.reloader.turn()
    (document,) = one.main.committed["documents"]["datasets"].values()
    assert document["description"] == "in other words"
    assert one.main.committed["desired"] is None
    assert (config(one)["revision"] != before, config(one)["pending"]) == (True, [])
    assert one.builder.built() == ["a"]


def test_the_same_config_again_swaps_nothing(one: Story) -> None:
    """A file that was touched, or a watch that has just begun."""
    one.see_config()
    one.settle()
    assert len(one.main.prepared) == 1


def test_a_new_config_counts_while_a_build_runs(two: Story) -> None:
    """A key must not live on because some other dataset is large."""
    seen = []

    def meanwhile(name: str) -> None:
        two.builder.before = lambda _: None
        two.configure("b", description="in other words")
        two.reloader.turn()
        served = two.main.committed["documents"]["datasets"]["datasets/b.yml"]
        seen.append((name, served["description"]))

    two.builder.before = meanwhile
    two.publish("a", "s2", minutes=2)
    two.later()
    assert seen == [("a", "in other words")]
    assert two.main.committed_ids == {"a": "s2", "b": "s1"}


def test_keys_count_while_a_contract_waits(one: Story) -> None:
    """From public to keys and back, with a contract that no snapshot fits yet."""
    add_endpoint(one)
    one.see_config()
    one.settle()
    write_yaml(one.root / "offloader.yml", {"version": 1, "keys": "keys.yml"})
    write_yaml(one.root / "keys.yml", {"keys": [key("k1", None, "a_ids")]})
    one.configure(**WIDE)
    one.settle()
    assert config(one)["pending"] == ["a"]
    (granted,) = one.main.committed["documents"]["keys"]["keys"]
    assert (granted["id"], granted["status"]) == ("k1", "active")
    write_yaml(one.root / "keys.yml", {"keys": [key("k1", None, "a_ids", status="revoked")]})
    one.see_config()
    one.reloader.turn()
    (revoked,) = one.main.committed["documents"]["keys"]["keys"]
    assert revoked["status"] == "revoked"
    assert schema(one) == ["id", "tenant"]


def test_a_wrong_config_leaves_the_one_before(one: Story) -> None:
    """Every problem is told, once in the log and on the board until it is repaired."""
    before = config(one)
    write_yaml(one.root / "datasets" / "a.yml", {**dataset_document("a"), "shema": []})
    one.see_config()
    one.settle()
    told = config(one)
    assert (told["ok"], told["revision"]) == (False, before["revision"])
    assert [problem["code"] for problem in told["problems"]] == ["unknown_key"]
    assert told["checked_at"] == one.now
    one.publish("a", "s2", minutes=2)
    one.later()
    assert one.main.committed_ids == {"a": "s2"}
    one.configure()
    one.settle()
    assert (config(one)["ok"], config(one)["problems"]) == (True, [])


def test_a_config_that_main_refuses_is_tried_again(one: Story) -> None:
    """A worker that did not attach in time is no fault of the config's: nobody touches a file."""
    late = Refused("workers_late", "2 of 2 workers did not attach in time", "see the log")
    one.main.answer = lambda _: late
    one.configure(description="in other words")
    one.settle()
    assert [p["code"] for p in config(one)["problems"]] == ["workers_late"]
    one.main.answer = None
    one.later()
    assert config(one)["ok"] is True
    (document,) = one.main.committed["documents"]["datasets"].values()
    assert document["description"] == "in other words"


def test_a_removed_dataset_is_gone_and_a_new_one_comes(two: Story) -> None:
    """Its state is kept, should the config name it again."""
    two.act("pin", "b")
    write_yaml(two.root / "datasets" / "c.yml", dataset_document("c"))
    (two.root / "datasets" / "b.yml").rename(two.root / "b.yml")
    two.publish("c", "s1")
    two.see_config()
    two.settle()
    assert two.main.committed_ids == {"a": "s1", "c": "s1"}
    assert sorted(two.datasets()) == ["a", "c"]
    two.restart()
    two.settle()
    (two.root / "b.yml").rename(two.root / "datasets" / "b.yml")
    two.see_config()
    two.settle()
    assert two.main.committed_ids == {"a": "s1", "b": "s1", "c": "s1"}
    assert two.datasets()["b"]["pin"] == {"snapshot_id": "s1", "by": "operator"}


def test_an_action_on_a_dataset_that_is_removed_meanwhile_is_answered(two: Story) -> None:
    """It cannot be done any more; and nothing is under way when it comes back."""

    def meanwhile(_: str) -> None:
        two.builder.before = lambda _: None
        (two.root / "datasets" / "b.yml").rename(two.root / "b.yml")
        two.see_config()
        two.reloader.turn()

    two.builder.before = meanwhile
    assert two.act("rebuild", "b").code == "unknown_dataset"
    (two.root / "b.yml").rename(two.root / "datasets" / "b.yml")
    two.see_config()
    two.settle()
    assert two.act("refresh", "b").outcome == "unchanged"


def test_everything_is_looked_at_when_asked_for(two: Story) -> None:
    """A signal: the config first, then every source."""
    two.publish("a", "s2", minutes=2)
    two.publish("b", "s2", minutes=2)
    two.reloader.check_all(two.see_config)
    two.settle()
    assert two.main.committed_ids == {"a": "s2", "b": "s2"}
