"""Composition lets nobody see more: for any two projects, whatever of the old one is held.

Whoever may call an endpoint for some rows under a composition could do so under what was served
before, or may do so under the new config, where the endpoint shows at least the same. Nobody is
let in without a key where rows are of tenants.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from offloader.catalog.documents import parse_documents
from offloader.catalog.model import Catalog, Endpoint
from offloader.service.composition import Composition, Documents, contracts_of, dataset_contract
from tests.service.composing import (
    EVERYBODY,
    Rows,
    access,
    callers,
    composed,
    dataset,
    endpoint,
    key,
)

DATASETS, ENDPOINTS, KEYS = ("a", "b", "c"), ("e1", "e2", "e3"), ("k1", "k2", "k3")
FILES = ("x", "y", "z")

tenant_columns = st.sampled_from([None, None, "acme", "shop"])
tenants = st.sampled_from([None, "t1", "t2"])
expiries = st.sampled_from([None, None, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"])
times = st.sampled_from([1_760_000_000, 1_780_000_000, 1_800_000_000])  # before, between, after
files = st.permutations(FILES)
held_sets = st.sets(st.sampled_from(DATASETS), min_size=1)


@st.composite
def projects(draw: st.DrawFn) -> Documents:
    """Draw a valid project: up to three datasets, endpoints and keys, in files of any name."""
    scopes = draw(st.dictionaries(st.sampled_from(DATASETS), tenant_columns, min_size=1))
    made: dict[str, Any] = {"datasets": {}, "endpoints": {}}
    for file, (name, tenant) in zip(draw(files), scopes.items(), strict=False):
        changes = {"description": "changed"} if draw(st.booleans()) else {}
        made["datasets"][f"datasets/{file}.yml"] = dataset(name, tenant, **changes)
    for file, name in zip(draw(files), ENDPOINTS, strict=True):
        of = draw(st.none() | st.sampled_from(sorted(scopes)))
        if of is not None:
            shown = draw(st.sampled_from([["id"], ["id", "shop"], ["shop"]]))
            select = {"select": [{"as": one, "column": one} for one in shown]}
            one = endpoint(name, of, scopes[of], query=select, columns=shown)
            made["endpoints"][f"endpoints/{file}.yml"] = one
    return {**made, **draw(accesses(made, is_scoped=any(scopes.values())))}


@st.composite
def accesses(draw: st.DrawFn, made: Mapping[str, Any], *, is_scoped: bool) -> Documents:
    """Draw who may call the endpoints of a project."""
    if not is_scoped and draw(st.booleans()):
        return {"project": {"version": 1, "auth": "none"}, "keys": None, "keys_file": None}
    keys = []
    for name in KEYS:
        tenant, status = draw(tenants), draw(st.sampled_from(["active", "active", "revoked"]))
        fit = [e["name"] for e in made["endpoints"].values() if tenant or "tenant" not in e]
        granted = sorted(draw(st.sets(st.sampled_from(fit)))) if fit else []
        expires_at = draw(expiries)
        if draw(st.booleans()):
            keys.append(key(name, tenant, *granted, status=status, expires_at=expires_at))
    project = {"version": 1, "keys": "keys/keys.yml"}
    return {"project": project, "keys": {"keys": keys}, "keys_file": "keys/keys.yml"}


@dataclass(frozen=True)
class Case:
    """A composition: of `desired` with `served`, which the callers knew as `before`."""

    desired: Documents
    served: Documents
    before: Catalog
    held: frozenset[str]
    made: Composition


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw what was served: a project, only its contracts after a start, or a composition."""
    served, desired = draw(projects()), draw(projects())
    held = frozenset(draw(held_sets))
    how = draw(st.sampled_from(["project", "contracts", "composition"]))
    if how == "composition":
        served = composed(served, draw(projects()), *draw(held_sets)).documents
    before = parse_documents(served)
    if how == "contracts":
        served = contracts_of(served)
    made = composed(desired, served, *held)
    event(f"{how}, {len(made.held)} held, {len(made.dropped)} dropped")
    return Case(desired, served, before, held, made)


def shows(one: Catalog, other: Catalog, name: str) -> bool:
    """Tell whether an endpoint shows under `one` at least what it shows under `other`."""
    if name not in one.endpoints:
        return False
    found, asked = one.endpoints[name], other.endpoints[name]
    same_rows = (found.dataset, found.tenant_column) == (asked.dataset, asked.tenant_column)
    return same_rows and _shown(asked) <= _shown(found)


def _shown(one: Endpoint) -> set[str]:
    return {item.column for item in one.select if item.alias in one.columns}


def may(catalog: Catalog, name: str, caller: str, rows: Rows, at: float) -> bool:
    """Tell whether a caller may see these rows of an endpoint."""
    allowed = callers(catalog, name, at)
    return any(allowed.get(one, rows) in (None, rows) and one in allowed for one in _as(caller))


def _as(caller: str) -> set[str]:
    return {caller, EVERYBODY}


@settings(max_examples=80)
@given(case=cases(), at=times)
def test_nobody_sees_more_than_before_or_afterwards(case: Case, at: float) -> None:
    """Every caller of every endpoint, for the rows of its tenant or for all, at any time."""
    made, new = case.made.catalog, parse_documents(case.desired)
    for name, caller, rows in access(made, at):
        before = shows(case.before, made, name) and may(case.before, name, caller, rows, at)
        after = shows(new, made, name) and may(new, name, caller, rows, at)
        assert before or after, (name, caller, rows)


@settings(max_examples=60)
@given(case=cases())
def test_rows_of_tenants_need_a_key_of_a_tenant(case: Case) -> None:
    """Nobody without one sees them, and a key that the new config takes away opens nothing.

    Unless the new config lets everybody in, and asks for old keys only meanwhile.
    """
    new = parse_documents(case.desired)
    granted = {one.hash: one.endpoints for one in new.keys if one.is_active}
    for name, caller, rows in access(case.made.catalog):
        if rows is not None:
            assert caller != EVERYBODY
            assert rows[1] in ("t1", "t2")
        assert not new.auth_required or name in granted[caller]


@settings(max_examples=60)
@given(case=cases())
def test_what_is_held_is_whole_and_all_else_is_new(case: Case) -> None:
    """A held dataset has its old document and its old endpoints, any other the new ones."""
    made = case.made
    known = {one["id"] for one in case.served["datasets"].values()}
    assert case.held & known <= made.held | made.dropped <= known
    names = set()
    for name in made.held:
        assert dataset_contract(made.documents, name) == dataset_contract(case.served, name)
        names |= dataset_contract(case.served, name)["endpoints"].keys()
    for one in case.desired["datasets"].values():
        if one["id"] not in made.held:
            new = dataset_contract(case.desired, one["id"])
            left = {n: e for n, e in new["endpoints"].items() if n not in names}
            found = dataset_contract(made.documents, one["id"])
            assert found == {**new, "endpoints": left}


@settings(max_examples=20)
@given(desired=projects(), served=projects())
def test_with_everything_flipped_the_new_config_is_served(
    desired: Documents, served: Documents
) -> None:
    """Nothing of the old one is left."""
    assert composed(desired, served).documents is desired
