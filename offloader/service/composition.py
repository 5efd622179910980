"""Compose what is served out of what the config says now and what was served before. Pure.

A dataset whose segment does not fit its new contract yet is *held*: its old dataset document and
its old endpoints stay, until contract and segment flip in one commit. Everything else of the new
config counts at once: a revoked key, a limit, a description. Whatever is unclear is decided for
less access, never for more.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from offloader.catalog.documents import parse_documents
from offloader.catalog.model import Catalog
from offloader.errors import ConfigError

Documents = Mapping[str, Any]
_GRANT = re.compile(r"keys\[([0-9]+)\]\.endpoints\[([0-9]+)\]")
_NOTHING: Documents = {"datasets": {}, "endpoints": {}}


@dataclass(frozen=True, slots=True)
class Composition:
    """Documents that are served, and their catalog.

    `held` are the datasets on their old contract. `dropped` are those that were to be held and
    may not be served at all until they are built under the new one.
    """

    documents: Documents
    catalog: Catalog
    held: frozenset[str] = frozenset()
    dropped: frozenset[str] = frozenset()


def contracts_of(documents: Documents) -> Documents:
    """Return the documents without the keys: what may lie on the cache volume."""
    return {name: documents[name] for name in ("project", "datasets", "endpoints")}


def dataset_contract(documents: Documents, dataset: str) -> Documents:
    """Return one dataset's document and its endpoints' documents, without their files' names."""
    datasets = [d for d in documents.get("datasets", {}).values() if d["id"] == dataset]
    endpoints = {e["name"]: e for e in _endpoints_of(documents, [dataset]).values()}
    return {"datasets": datasets, "endpoints": endpoints}


def compose(
    desired: Documents, catalog: Catalog, served: Documents, held: Collection[str]
) -> Composition:
    """Return what to serve when the datasets `held` stay on the contract in `served`.

    `catalog` is that of `desired`. `served` may lack the keys, as after a restart. Raises
    ConfigError when the two do not go together at all.
    """
    served = {**_NOTHING, **served}
    known = {document["id"] for document in served["datasets"].values()}
    holding = _with_conflicts(desired, served, {name for name in held if name in known})
    dropped: set[str] = set()
    if not catalog.auth_required and not served.get("keys"):
        # Nobody is asked for a key from now on, and the old keys are not known any more.
        dropped = {name for name in holding if _tenant_column(served, name)}
        holding -= dropped
    if not holding:
        return Composition(desired, catalog, dropped=frozenset(dropped))
    documents = _merged(desired, served, holding)
    if not catalog.auth_required and any(_tenant_column(served, name) for name in holding):
        documents |= {name: served[name] for name in ("project", "keys", "keys_file")}
    _withhold_new_grants(documents, desired, served, holding)
    composed = _without_refused_grants(documents)
    return replace(composed, held=frozenset(holding), dropped=frozenset(dropped))


def _with_conflicts(desired: Documents, served: Documents, held: set[str]) -> set[str]:
    """Hold also what would have an endpoint of the same name as one that is held."""
    known = {document["id"] for document in served["datasets"].values()}
    while True:
        names = {e["name"] for e in _endpoints_of(served, held).values()}
        others = (e for e in desired["endpoints"].values() if e["dataset"] not in held)
        more = {e["dataset"] for e in others if e["name"] in names} & known
        if more <= held:
            return held
        held = held | more


def _merged(desired: Documents, served: Documents, held: set[str]) -> dict[str, Any]:
    old_endpoints = _endpoints_of(served, held)
    names = {e["name"] for e in old_endpoints.values()}
    datasets = {f: d for f, d in desired["datasets"].items() if d["id"] not in held}
    endpoints = {
        file: document
        for file, document in desired["endpoints"].items()
        if document["dataset"] not in held and document["name"] not in names
    }
    old_datasets = {f: d for f, d in served["datasets"].items() if d["id"] in held}
    return {
        **desired,
        "datasets": {**datasets, **_named_apart(old_datasets, datasets)},
        "endpoints": {**endpoints, **_named_apart(old_endpoints, endpoints)},
    }


def _named_apart(old: Documents, taken: Documents) -> dict[str, Any]:
    """Return documents under names that are free: a file may hold another dataset by now."""
    return {(f"held/{file}" if file in taken else file): document for file, document in old.items()}


def _endpoints_of(documents: Documents, datasets: Collection[str]) -> Documents:
    endpoints = documents.get("endpoints", {})
    return {file: e for file, e in endpoints.items() if e["dataset"] in datasets}


def _tenant_column(documents: Documents, dataset: str) -> str | None:
    for document in documents["datasets"].values():
        if document["id"] == dataset:
            column: str | None = document.get("tenant_column")
            return column
    return None


def _withhold_new_grants(
    documents: dict[str, Any], desired: Documents, served: Documents, held: Iterable[str]
) -> None:
    """Keep new grants from endpoints whose tenant rule is about to change.

    Granted for the new rule, they would see under the old one what they never may.
    """
    changing = [n for n in held if _tenant_column(served, n) != _tenant_column(desired, n)]
    names = {e["name"] for e in _endpoints_of(served, changing).values()}
    was_public = served.get("project", {}).get("auth") == "none"
    if not names or was_public or not documents.get("keys"):
        return
    before = {key["hash"]: key for key in _keys(served)}
    documents["keys"] = {
        "keys": [_with_old_grants(key, before.get(key["hash"]), names) for key in _keys(documents)]
    }


def _with_old_grants(key: Documents, before: Documents | None, names: set[str]) -> Documents:
    is_same = before is not None and before.get("tenant") == key.get("tenant")
    old = set(before["endpoints"]) if before is not None and is_same else set()
    granted = [name for name in key["endpoints"] if name not in names or name in old]
    return {**key, "endpoints": granted}


def _keys(documents: Documents) -> list[Documents]:
    return list((documents.get("keys") or {"keys": []})["keys"])


def _without_refused_grants(documents: dict[str, Any]) -> Composition:
    """Parse; leave out the grants that lead nowhere, or to a held endpoint they do not fit."""
    while True:
        try:
            return Composition(documents, parse_documents(documents))
        except ConfigError as error:
            refused = set(_grants(error))
            if not refused:
                raise
        keys = [_without(key, index, refused) for index, key in enumerate(_keys(documents))]
        documents = {**documents, "keys": {"keys": keys}}


def _without(key: Documents, index: int, refused: Collection[tuple[int, int]]) -> Documents:
    names = enumerate(key["endpoints"])
    return {**key, "endpoints": [name for at, name in names if (index, at) not in refused]}


def _grants(error: ConfigError) -> Iterator[tuple[int, int]]:
    for problem in error.problems:
        found = _GRANT.fullmatch(problem.path)
        if found:
            yield int(found[1]), int(found[2])
