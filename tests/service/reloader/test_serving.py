"""Serving: the draft of the next generation, out of what is served, what was found, the config."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from offloader.catalog.documents import parse_documents
from offloader.catalog.manifest import Manifest, parse_manifest
from offloader.service.cache import Cache
from offloader.service.composition import Documents
from offloader.service.generation_document import Document, entry_of
from offloader.service.project import Project
from offloader.service.quarantine import Mark, mark
from offloader.service.reloader.serving import Serving
from tests.service.composing import dataset, documents, endpoint, wider
from tests.service.fake_main import write_parts
from tests.snapshots import manifest_document

A, B, OF_A = dataset("a"), dataset("b"), endpoint("of_a", "a")
COLUMNS = [(name, "VARCHAR") for name in ("id", "acme", "shop")]
WIDE = [*COLUMNS, ("plan", "VARCHAR")]


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path)


def project(made: Documents) -> Project:
    return Project(Path("/"), made, parse_documents(made))


def kept(cache: Cache, name: str, snapshot_id: str, columns: Any = COLUMNS) -> Manifest:
    """Keep a manifest, as a look does."""
    content = manifest_document(name, columns, [], snapshot_id=snapshot_id)
    raw = json.dumps(content).encode()
    manifest = parse_manifest(raw, "manifest.json")
    cache.keep_manifest(name, manifest.digest, raw)
    return manifest


def entry(
    cache: Cache, made: Documents, name: str, snapshot_id: str, columns: Any = COLUMNS
) -> Document:
    """Build a snapshot under a project; return its entry."""
    manifest = kept(cache, name, snapshot_id, columns)
    write_parts(cache, made, name, manifest)
    return entry_of(parse_documents(made), name, manifest)


def serving(cache: Cache, made: Documents, **entries: Document) -> Serving:
    return Serving(cache, {"documents": made, "desired": None, "snapshots": entries})


def test_nothing_new_is_served_already(cache: Cache) -> None:
    """The same config, nothing found: main need not be asked."""
    made = documents([A], [OF_A])
    served = serving(cache, made, a=entry(cache, made, "a", "s1"))
    draft = served.draft(project(made), {})
    assert served.is_served(draft)
    assert draft.flipped == frozenset()
    assert served.snapshot_id("a") == "s1"
    assert served.snapshot_id("b") is None


def test_what_was_found_takes_the_place_of_what_is_served(cache: Cache) -> None:
    """The rest stays; the parts of the snapshot before are to be kept in memory."""
    made = documents([A, B])
    one, two, other = (entry(cache, made, *at) for at in (("a", "s1"), ("a", "s2"), ("b", "s1")))
    served = serving(cache, made, a=one, b=other)
    draft = served.draft(project(made), {"a": two})
    assert draft.entries == {"a": two, "b": other}
    assert draft.flipped == {"a"}
    assert served.document(draft) == {
        "documents": made,
        "desired": None,
        "snapshots": {"a": two, "b": other},
        "kept": {"a": one["parts"]},
    }
    served.adopt(draft)
    assert served.snapshot_id("a") == "s2"
    assert served.document(served.draft(project(made), {}))["kept"] == {"a": one["parts"]}


def test_kept_parts_have_the_names_they_have_in_memory(cache: Cache) -> None:
    """Those of a rebuilt segment have its number; another contract is no other snapshot."""
    made = documents([A])
    one, two = entry(cache, made, "a", "s1"), entry(cache, made, "a", "s2")
    rebuilt = {**one, "copy": 2}
    served = serving(cache, made, a=rebuilt)
    assert served.document(served.draft(project(made), {"a": {**one, "copy": 3}}))["kept"] == {}
    draft = served.draft(project(made), {"a": two})
    assert served.document(draft)["kept"] == {"a": [f"{part}.2" for part in one["parts"]]}


def test_a_quarantined_snapshot_is_not_kept(cache: Cache) -> None:
    """It must not be served, and that holds for cursors that began on it, too."""
    made = documents([A])
    one, two = entry(cache, made, "a", "s1"), entry(cache, made, "a", "s2")
    served = serving(cache, made, a=one)
    mark(cache, "a", Mark("s1", one["snapshot"]["manifest_digest"], "tampered", "me", 0.0))
    assert served.document(served.draft(project(made), {"a": two}))["kept"] == {}


def test_the_reserve_can_be_given_up(cache: Cache) -> None:
    """Only what was before it; a second time there is nothing."""
    made = documents([A])
    served = serving(cache, made, a=entry(cache, made, "a", "s1"))
    assert not served.forget_reserve()
    served.adopt(served.draft(project(made), {"a": entry(cache, made, "a", "s2")}))
    assert served.forget_reserve()
    assert served.document(served.draft(project(made), {}))["kept"] == {}
    assert not served.forget_reserve()


def test_a_restarted_reloader_goes_on_keeping_what_was_kept(cache: Cache) -> None:
    """What main serves says it: cursors do not end, and a rollback still loads nothing."""
    made = documents([A])
    one, two, three = (entry(cache, made, "a", name) for name in ("s1", "s2", "s3"))
    served = serving(cache, made, a=one)
    draft = served.draft(project(made), {"a": two})
    restarted = Serving(cache, served.document(draft))
    assert restarted.document(restarted.draft(project(made), {}))["kept"] == {"a": one["parts"]}
    draft = restarted.draft(project(made), {"a": three})
    assert restarted.document(draft)["kept"] == {"a": two["parts"]}


def test_a_contract_that_needs_no_build_flips(cache: Cache) -> None:
    """Words, limits: the same parts."""
    made, new = documents([A], [OF_A]), documents([A], [{**OF_A, "description": "other words"}])
    found = entry(cache, made, "a", "s1")
    served = serving(cache, made, a=found)
    assert served.pending(project(new)) == {"a"}
    draft = served.draft(project(new), {})
    assert draft.entries == {"a": found}
    assert served.document(draft)["documents"] == new
    assert served.document(draft)["desired"] is None
    served.adopt(draft)
    assert served.pending(project(new)) == frozenset()


def test_a_contract_whose_parts_lie_there_flips_with_them(cache: Cache) -> None:
    """They were built under it before; the number of rebuilds stays."""
    made, new = documents([A]), documents([{**A, "schema": A["schema"][:1]}])
    served = serving(cache, made, a={**entry(cache, made, "a", "s1"), "copy": 4})
    assert served.draft(project(new), {}).composition.held == {"a"}
    narrow = entry(cache, new, "a", "s1")
    draft = served.draft(project(new), {})
    assert draft.entries == {"a": {**narrow, "copy": 4}}
    assert draft.composition.held == frozenset()


def test_a_contract_that_needs_a_build_waits_for_it(cache: Cache) -> None:
    """Old contract, old parts; main is told what the config wants all the same."""
    made, new = documents([A, B]), documents([wider(A), B])
    one, other = entry(cache, made, "a", "s1"), entry(cache, made, "b", "s1")
    served = serving(cache, made, a=one, b=other)
    draft = served.draft(project(new), {})
    assert draft.entries == {"a": one, "b": other}
    assert draft.composition.held == {"a"}
    assert not served.is_served(draft)
    assert served.document(draft)["documents"] == made
    assert served.document(draft)["desired"] == new
    served.adopt(draft)
    assert served.is_served(served.draft(project(new), {}))
    assert served.pending(project(new)) == {"a"}
    again = Serving(cache, json.loads(json.dumps(served.document(draft))))
    assert again.is_served(again.draft(project(new), {}))
    found = entry(cache, new, "a", "s2", WIDE)
    flipped = again.draft(project(new), {"a": found})
    assert (flipped.entries["a"], flipped.composition.held) == (found, frozenset())
    assert again.document(flipped)["desired"] is None


def test_a_removed_dataset_is_not_in_the_draft(cache: Cache) -> None:
    """A new one comes with its first snapshot."""
    made, new = documents([A]), documents([B])
    served = serving(cache, made, a=entry(cache, made, "a", "s1"))
    draft = served.draft(project(new), {})
    assert (draft.entries, served.document(draft)["documents"]) == ({}, new)
    other = entry(cache, new, "b", "s1")
    assert served.draft(project(new), {"b": other}).entries == {"b": other}


def test_datasets_that_hand_an_endpoint_on_flip_together(cache: Cache) -> None:
    """What was found for one waits for the other."""
    made = documents([A, B], [OF_A])
    moved = [{**OF_A, "dataset": "b"}]
    new = documents([wider(A), B], moved)
    one, other = entry(cache, made, "a", "s1"), entry(cache, made, "b", "s1")
    served = serving(cache, made, a=one, b=other)
    found = entry(cache, new, "b", "s2")
    draft = served.draft(project(new), {"b": found})
    assert draft.composition.held == {"a", "b"}
    assert draft.entries == {"a": one, "b": other}
    assert draft.flipped == frozenset()
    both = served.draft(project(new), {"b": found, "a": entry(cache, new, "a", "s2", WIDE)})
    assert both.flipped == {"a", "b"}
    assert both.composition.documents == new


def test_a_dataset_without_data_may_be_held_too(cache: Cache) -> None:
    """`b` never had a snapshot; it waits for `a` all the same, and has none in the draft."""
    made = documents([A, B], [OF_A])
    new = documents([wider(A), B], [{**OF_A, "dataset": "b"}])
    one = entry(cache, made, "a", "s1")
    served = serving(cache, made, a=one)
    draft = served.draft(project(new), {})
    assert draft.composition.held == {"a", "b"}
    assert draft.entries == {"a": one}
    draft = served.draft(project(new), {"b": entry(cache, new, "b", "s1")})
    assert draft.entries == {"a": one}
    assert draft.flipped == frozenset()
