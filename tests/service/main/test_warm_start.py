"""What main serves at its start: what was served before, under the contract it was served under."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from offloader.catalog.manifest import Manifest, parse_manifest
from offloader.service.cache import Cache
from offloader.service.composition import contracts_of
from offloader.service.generation_document import Document, entry_of
from offloader.service.main.warm_start import warm_document
from offloader.service.project import Project
from offloader.service.quarantine import Mark, mark
from offloader.service.state import DatasetState, Saved, Snapshot
from tests.projects import key_document, write_project
from tests.service.building import loaded
from tests.service.fake_main import write_parts
from tests.service.reloading import COLUMNS, dataset_document
from tests.snapshots import manifest_document

WIDER = (*COLUMNS, ("plan", "VARCHAR"))


@dataclass
class Stopped:
    """A service that was stopped: `state` is what it left of two datasets, `project` is new."""

    project: Project
    cache: Cache
    state: Saved
    manifests: dict[str, Manifest]

    def document(self, *without: str) -> Document:
        return warm_document(self.cache, self.project, self.state, without)

    def ids(self, *without: str) -> dict[str, str]:
        entries = self.document(*without)["snapshots"]
        return {name: entry["snapshot"]["snapshot_id"] for name, entry in entries.items()}

    def know(self, **changes: Any) -> None:
        """Change what is known of `a`."""
        datasets = {**self.state.datasets, "a": replace(self.state.datasets["a"], **changes)}
        self.state = replace(self.state, datasets=datasets)

    def snapshot(self, snapshot_id: str) -> Snapshot:
        return Snapshot.of(self.manifests[snapshot_id])

    def lose(self, snapshot_id: str) -> None:
        """Remove the parts of a snapshot of `a`."""
        for part_id in entry_of(self.project.catalog, "a", self.manifests[snapshot_id])["parts"]:
            self.cache.part("a", part_id).unlink()

    def write(self, **changes: Any) -> None:
        """Change the project while the service is stopped."""
        self.project = written(self.project.root, **changes)


def written(root: Path, a: Document | None = None, **access: Any) -> Project:
    """Write the project anew and load it; `a` is what the dataset `a` and its endpoint have."""
    more = dict(a or {})
    endpoint = {"a_ids": endpoint_document("a", more.get("tenant_column"))}
    datasets = {name: dataset_document(name, **(more if name == "a" else {})) for name in "ab"}
    return loaded(write_project(root, datasets=datasets, endpoints=endpoint, **access))


def endpoint_document(dataset: str, tenant_column: str | None) -> Document:
    """Return an endpoint over the ids of a dataset."""
    tenant = {"tenant": {"column": tenant_column}} if tenant_column else {}
    query = {"select": [{"as": "id", "column": "id"}]}
    made = {"name": f"{dataset}_ids", "version": 1, "dataset": dataset, "query": query}
    return {**made, **tenant, "columns": ["id"]}


def stopped(root: Path, project: Project, cache: Cache) -> Stopped:
    """Have had the snapshot `s2` of `a`, before it `s1`, and `s1` of `b` served."""
    manifests: dict[str, Manifest] = {}
    datasets: dict[str, DatasetState] = {}
    for name in "ab":
        for snapshot_id in ("s1", "s2") if name == "a" else ("s1",):
            content = manifest_document(name, COLUMNS, [], snapshot_id=snapshot_id)
            raw = json.dumps(content).encode()
            manifest = parse_manifest(raw, "manifest.json")
            cache.keep_manifest(name, manifest.digest, raw)
            write_parts(cache, project.documents, name, manifest)
            datasets[name] = datasets.get(name, DatasetState()).activated(Snapshot.of(manifest))
            if name == "a":
                manifests[snapshot_id] = manifest
    state = Saved(datasets, json.loads(json.dumps(contracts_of(project.documents))))
    return Stopped(project, cache, state, manifests)


@pytest.fixture
def one(tmp_path: Path) -> Stopped:
    return stopped(tmp_path, written(tmp_path / "project"), Cache(tmp_path / "cache"))


@pytest.fixture
def scoped(tmp_path: Path) -> Stopped:
    """A project whose dataset `a` is of tenants."""
    keys = {"keys": [{**key_document("k", "token", "acme"), "endpoints": ["a_ids"]}]}
    project = written(tmp_path / "project", {"tenant_column": "tenant"}, keys=keys)
    return stopped(tmp_path, project, Cache(tmp_path / "cache"))


def schema(*columns: tuple[str, str]) -> Document:
    return {"schema": [{"name": name, "type": kind} for name, kind in columns]}


def test_what_was_active_is_served(one: Stopped) -> None:
    """Every dataset that lies whole in the cache, and the project as it is."""
    document = one.document()
    assert one.ids() == {"a": "s2", "b": "s1"}
    assert (document["documents"], document["desired"]) == (one.project.documents, None)
    entry = entry_of(one.project.catalog, "a", one.manifests["s2"])
    assert document["snapshots"]["a"] == entry


def test_a_dataset_may_be_left_out(one: Stopped) -> None:
    """What cannot be loaded stands behind, the others do not."""
    assert one.ids("a") == {"b": "s1"}


def test_what_was_never_active_is_not_served(one: Stopped) -> None:
    """Parts alone prove nothing: their snapshot may have been refused."""
    one.state = Saved({"a": DatasetState(), "gone": one.state.datasets["a"]})
    assert one.ids() == {}
    one.state = Saved()
    assert one.ids() == {}


def test_without_the_active_snapshot_the_previous_one_is_served(one: Stopped) -> None:
    """A part that is gone costs one step back, not the dataset."""
    one.lose("s2")
    assert one.ids() == {"a": "s1", "b": "s1"}
    one.lose("s1")
    assert one.ids() == {"b": "s1"}


def test_a_rebuilt_segment_keeps_its_number(one: Stopped) -> None:
    """The next rebuild counts on from there; the previous snapshot was not rebuilt."""
    one.know(copy=2)
    assert one.document()["snapshots"]["a"]["copy"] == 2
    one.lose("s2")
    assert one.document()["snapshots"]["a"]["copy"] == 0


@pytest.mark.parametrize("how", ["rolled back", "quarantined"])
def test_what_was_put_away_is_not_served(one: Stopped, how: str) -> None:
    """Also when main ended before the previous snapshot took its place; unless it is accepted."""
    last = one.snapshot("s2")
    if how == "rolled back":
        one.know(rolled_back=(last,))
    else:
        mark(one.cache, "a", Mark("s2", last.manifest_digest, "wrong totals", "f00d", 1.0))
    assert one.ids() == {"a": "s1", "b": "s1"}
    one.know(rolled_back=(), accepted=last.manifest_digest)
    assert one.ids() == {"a": "s2", "b": "s1"}


def test_a_dataset_that_needs_a_build_keeps_its_contract(one: Stopped) -> None:
    """It is served as before the stop; what the config wants is told beside it."""
    before, entry = one.project.documents, one.document()["snapshots"]["a"]
    one.write(a=schema(*WIDER))
    document = one.document()
    assert document["documents"] == before
    assert document["desired"] == one.project.documents
    assert document["snapshots"]["a"] == entry


def test_a_new_contract_without_a_build_counts_at_once(one: Stopped) -> None:
    """A description is no reason to hold anything."""
    one.write(a={"description": "in other words"})
    document = one.document()
    assert (document["documents"], document["desired"]) == (one.project.documents, None)
    assert one.ids() == {"a": "s2", "b": "s1"}


def test_the_active_snapshot_goes_before_the_new_contract(one: Stopped) -> None:
    """Under its old contract it is better than the previous snapshot under the new one."""
    one.write(a=schema(COLUMNS[0]))
    write_parts(one.cache, one.project.documents, "a", one.manifests["s1"])
    document = one.document()
    assert one.ids() == {"a": "s2", "b": "s1"}
    assert document["desired"] == one.project.documents


def test_a_removed_dataset_is_not_served(one: Stopped) -> None:
    """What the config does not name is gone, whatever the cache holds."""
    (one.project.root / "datasets" / "b.yml").unlink()
    one.project = loaded(one.project.root)
    assert one.ids() == {"a": "s2"}
    assert one.document()["documents"] == one.project.documents


@pytest.mark.parametrize(
    "contracts", [{}, {"project": 1, "datasets": {}, "endpoints": {}}, {"endpoints": []}]
)
def test_contracts_that_cannot_be_read_hold_nothing(one: Stopped, contracts: Document) -> None:
    """What needs a build is cold until it is built; all else is served."""
    one.state = replace(one.state, contracts=contracts)
    assert one.ids() == {"a": "s2", "b": "s1"}
    one.write(a=schema(*WIDER))
    assert one.ids() == {"b": "s1"}
    assert one.document()["desired"] is None


def test_a_held_dataset_of_tenants_is_served_to_their_keys(scoped: Stopped) -> None:
    """The keys of the new config count: they are the only ones that are known."""
    keys = scoped.project.documents["keys"]
    assert scoped.ids() == {"a": "s2", "b": "s1"}
    scoped.write(a={"tenant_column": "tenant", **schema(*WIDER)}, keys=keys)
    assert scoped.ids() == {"a": "s2", "b": "s1"}
    assert scoped.document()["documents"]["keys"] == keys


def test_a_held_dataset_of_tenants_is_never_served_to_everybody(scoped: Stopped) -> None:
    """Public from now on, and its old keys are not known any more: it waits for its build."""
    scoped.write(a=schema(*WIDER))
    document = scoped.document()
    assert scoped.ids() == {"b": "s1"}
    assert (document["documents"], document["desired"]) == (scoped.project.documents, None)


def test_new_grants_wait_for_the_rule_they_were_made_for(scoped: Stopped) -> None:
    """Who was let in before still is; a key that came while the service was stopped waits."""
    granted = {**key_document("k", "token", "acme"), "endpoints": ["a_ids"]}
    partner = {**key_document("p", "another", "acme"), "endpoints": ["a_ids"]}
    scoped.write(a=schema(*WIDER), keys={"keys": [granted, partner]})
    document = scoped.document()
    assert scoped.ids() == {"a": "s2", "b": "s1"}
    found = {one["id"]: one["endpoints"] for one in document["documents"]["keys"]["keys"]}
    assert found == {"key_k": ["a_ids"], "key_p": []}
    assert document["desired"] == scoped.project.documents
