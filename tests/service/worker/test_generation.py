"""Rules of a worker's generations: what has not changed is taken over, and nothing else is."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from offloader.service.worker import generation as generation_module
from offloader.service.worker.generation import Generation, assemble
from tests.service.loaded import Loaded, loaded

Change = Callable[[dict[str, Any]], object]


class Memory:
    """Parts by key, as a worker maps them; `read` are the keys that were asked for."""

    def __init__(self, made: Loaded, entries: dict[str, dict[str, Any]]) -> None:
        self.entries = entries
        self.read: list[str] = []
        self.content: dict[str, bytes] = {}
        for name, entry in entries.items():
            for key, path in zip(entry["parts"], made.paths(name, entry), strict=True):
                self.content[key] = path.read_bytes()
        self.documents = deepcopy(dict(made.project.documents))

    def __call__(self, key: str) -> bytes:
        self.read.append(key)
        return self.content[key]

    def assemble(self, previous: Generation | None, *datasets: str) -> Generation:
        """Assemble a generation of these datasets; clears what was read."""
        catalog = json.dumps(self.documents)
        key = f"catalog-{hash(catalog)}"
        self.content[key] = catalog.encode()
        self.read.clear()
        document = {
            "catalog": key,
            "rows": {},
            "snapshots": {
                name: {"snapshot": self.entries[name]["snapshot"], "parts": self.parts(name)}
                for name in datasets
            },
            "memory": dict.fromkeys(datasets, "shared"),
        }
        number = 1 if previous is None else previous.number + 1
        return assemble(number, document, self, previous)

    def parts(self, name: str) -> list[str]:
        """Return the keys of a dataset's parts."""
        keys: list[str] = self.entries[name]["parts"]
        return keys

    def rebuild(self, name: str) -> None:
        """Give a dataset's parts other keys, as a rebuild does."""
        keys = [f"{key}.1" for key in self.parts(name)]
        self.content |= dict(zip(keys, (self.content[k] for k in self.parts(name)), strict=True))
        self.entries = {**self.entries, name: {**self.entries[name], "parts": keys}}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Loaded, dict[str, dict[str, Any]]]:
    """Two datasets with an endpoint each."""
    made = loaded(tmp_path_factory.mktemp("two"), ["alpha", "beta"])
    return made, {name: made.publish(name, "s0", 50) for name in ("alpha", "beta")}


@pytest.fixture
def memory(made: tuple[Loaded, dict[str, dict[str, Any]]]) -> Memory:
    """The parts of both datasets, mapped."""
    return Memory(*made)


def test_a_first_generation_is_made_whole(memory: Memory) -> None:
    """Contracts, segments and plans of everything, and what is not loaded has no plan."""
    first = memory.assemble(None, "alpha")
    assert sorted(first.catalog.datasets) == ["alpha", "beta"]
    assert first.endpoints["alpha_rows"].plan is not None
    assert first.endpoints["beta_rows"].plan is None
    assert first.missing() == ["beta"]
    assert first.memory == {"alpha": "shared"}
    assert first.segment_bytes == {
        "alpha": sum(len(memory.content[key]) for key in memory.parts("alpha"))
    }


def test_of_an_unchanged_dataset_everything_is_taken_over(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Contracts are not read again, and only the changed dataset's plans are compiled and tried."""
    first = memory.assemble(None, "alpha", "beta")
    tried: list[str] = []
    monkeypatch.setattr(
        generation_module, "try_plan", lambda plan: tried.append(plan.endpoint.name)
    )
    memory.rebuild("beta")
    second = memory.assemble(first, "alpha", "beta")
    assert (second.number, tried) == (2, ["beta_rows"])
    assert memory.read == memory.parts("beta")
    assert second.catalog is first.catalog
    assert second.keys is first.keys
    assert second.endpoints["alpha_rows"] is first.endpoints["alpha_rows"]
    assert second.opened["alpha"] is first.opened["alpha"]
    assert second.endpoints["beta_rows"] is not first.endpoints["beta_rows"]
    plan = second.endpoints["beta_rows"].plan
    assert plan is not None
    assert plan.segment is second.opened["beta"].segment is not first.opened["beta"].segment


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        (lambda d: d["datasets"]["datasets/alpha.yml"].update(description="new"), False),
        (lambda d: d["endpoints"]["endpoints/alpha_rows.yml"].update(description="new"), False),
        (lambda d: d["endpoints"]["endpoints/alpha_rows.yml"].update(version=2), False),
        (lambda d: d["datasets"]["datasets/beta.yml"].update(description="new"), True),
        (lambda d: d["project"].update(object_store_mode="other"), True),
    ],
)
def test_a_plan_is_kept_under_the_same_contracts_only(
    memory: Memory, change: Change, is_same: bool
) -> None:
    """A new contract over the same segment is compiled anew; the segment stays open."""
    first = memory.assemble(None, "alpha", "beta")
    change(memory.documents)
    second = memory.assemble(first, "alpha", "beta")
    assert second.catalog is not first.catalog
    assert (second.endpoints["alpha_rows"] is first.endpoints["alpha_rows"]) == is_same
    assert second.opened["alpha"] is first.opened["alpha"]
    served = second.endpoints["alpha_rows"]
    assert served.endpoint == second.catalog.endpoints["alpha_rows"]
    assert served.plan is not None
    assert served.plan.dataset == second.catalog.datasets["alpha"]


def test_a_dataset_that_comes_and_goes_has_a_plan_when_it_is_there(memory: Memory) -> None:
    """Nothing of a generation that had it is used while it is away."""
    generation = memory.assemble(None, "alpha", "beta")
    generation = memory.assemble(generation, "beta")
    assert generation.endpoints["alpha_rows"].plan is None
    assert "alpha" not in generation.segment_bytes
    generation = memory.assemble(generation, "alpha", "beta")
    assert generation.endpoints["alpha_rows"].plan is not None


def test_a_generation_does_not_keep_the_one_before(memory: Memory) -> None:
    """Else a thousand swaps would be a thousand generations."""
    generation = memory.assemble(None, "alpha", "beta")
    for _ in range(5):
        memory.rebuild("beta")
        generation = memory.assemble(generation, "alpha", "beta")
    gc.collect()
    found = [one for one in gc.get_objects() if isinstance(one, Generation)]
    assert [one for one in found if one.catalog is generation.catalog] == [generation]
