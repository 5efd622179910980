"""Compose what is served out of what the config says now and what was served before. Pure.

A dataset whose segment does not fit its new contract yet is *held*: its old dataset document and
its old endpoints stay, until contract and segment flip in one commit. Everything else of the new
config counts at once: a revoked key, a limit, a description. Whatever is unclear is decided for
less access, never for more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from offloader.catalog.documents import parse_documents
from offloader.catalog.model import Catalog
from offloader.errors import ConfigError
from offloader.service.grants import grants_of, keys_of, with_old_grants, without_refused

Documents = Mapping[str, Any]
_NOTHING: Documents = {"datasets": {}, "endpoints": {}}
_SAME = ("dataset", "tenant", "serving_mode", "combinations")  # else what is shown is another thing


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
    """Return what of the documents may lie on the cache volume: no key's hash, but its grants.

    Of a manifest's https:// URL the query is left out: it may be a signature.
    """
    contracts = {name: documents[name] for name in ("project", "endpoints")}
    datasets = {file: _unsigned(document) for file, document in documents["datasets"].items()}
    return {**contracts, "datasets": datasets, "grants": grants_of(documents)}


def dataset_contract(documents: Documents, dataset: str) -> Documents:
    """Return one dataset's document and its endpoints' documents, without their files' names."""
    datasets = [_unsigned(d) for d in documents.get("datasets", {}).values() if d["id"] == dataset]
    endpoints = {e["name"]: e for e in _endpoints_of(documents, [dataset]).values()}
    return {"datasets": datasets, "endpoints": endpoints}


def _unsigned(dataset: Documents) -> Documents:
    manifest = dataset.get("manifest", "")
    is_url = manifest.startswith("https://")
    return {**dataset, "manifest": manifest.partition("?")[0]} if is_url else dataset


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
    exposed = set() if catalog.auth_required else _exposed(desired, served, holding)
    dropped: set[str] = set()
    if exposed and not served.get("keys"):  # the keys they were served with are not known any more
        dropped, exposed = exposed, set()
        holding -= dropped
    if not holding:
        return Composition(desired, catalog, dropped=frozenset(dropped))
    documents = _merged(desired, served, holding)
    if exposed:
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
    named: dict[str, Any] = {}
    for file, document in old.items():
        while file in taken or file in named:
            file = f"held/{file}"
        named[file] = document
    return named


def _endpoints_of(documents: Documents, datasets: Collection[str]) -> Documents:
    endpoints = documents.get("endpoints", {})
    return {file: e for file, e in endpoints.items() if e["dataset"] in datasets}


def _tenant_column(documents: Documents, dataset: str) -> str | None:
    for document in documents["datasets"].values():
        if document["id"] == dataset:
            column: str | None = document.get("tenant_column")
            return column
    return None


def _exposed(desired: Documents, served: Documents, held: Collection[str]) -> set[str]:
    """Return what of the held datasets everybody would see, were nobody asked for a key."""
    if _is_public(served):
        return set()
    more = {old["dataset"] for old in _showing_more(desired, served, held)}
    return more | {name for name in held if _tenant_column(served, name)}


def _withhold_new_grants(
    documents: dict[str, Any], desired: Documents, served: Documents, held: Collection[str]
) -> None:
    """Keep new grants from endpoints that show now what they will not show after the flip.

    Granted for the new contract, they would see under the old one what they never may.
    """
    names = {old["name"] for old in _showing_more(desired, served, held)}
    if not names or _is_public(served) or not documents.get("keys"):
        return
    before = served.get("grants") or grants_of(served)
    documents["keys"] = {"keys": with_old_grants(keys_of(documents), before, names)}


def _showing_more(
    desired: Documents, served: Documents, held: Collection[str]
) -> Iterator[Documents]:
    """Yield the old endpoints of held datasets that show what the new ones do not."""
    new = {endpoint["name"]: endpoint for endpoint in desired["endpoints"].values()}
    for old in _endpoints_of(served, held).values():
        name = old["dataset"]
        is_scoped_alike = _tenant_column(served, name) == _tenant_column(desired, name)
        if not is_scoped_alike or not _shows_no_more(old, new.get(old["name"])):
            yield old


def _is_public(documents: Documents) -> bool:
    return bool(documents.get("project", {}).get("auth") == "none")


def _shows_no_more(old: Documents, new: Documents | None) -> bool:
    """Tell whether whoever may call the new endpoint sees there all that the old one shows.

    It may have more columns, and more params that need not be sent.
    """
    if new is None or any(old.get(name) != new.get(name) for name in _SAME):
        return False
    before, after = old["query"], new["query"]
    sent = {param["name"] for param in old.get("params", [])}
    added = [param for param in new.get("params", []) if param["name"] not in sent]
    filters = before.get("filters", [])
    narrows = [f for f in after.get("filters", []) if f not in filters and f["param"] in sent]
    return (
        before.get("group_by") == after.get("group_by")
        and all(one in _shown(new) for one in _shown(old))
        and all(param in new.get("params", []) for param in old.get("params", []))
        and not any(param.get("required") or "default" in param for param in added)
        and all(one in after.get("filters", []) for one in filters)
        and not narrows
    )


def _shown(endpoint: Documents) -> list[Documents]:
    select: list[Documents] = endpoint["query"]["select"]
    allowed = endpoint.get("columns")
    return [item for item in select if not allowed or item["as"] in allowed]


def _without_refused_grants(documents: dict[str, Any]) -> Composition:
    """Parse; leave out the grants that lead nowhere, or to a held endpoint they do not fit."""
    while True:
        try:
            return Composition(documents, parse_documents(documents))
        except ConfigError as error:
            keys = without_refused(keys_of(documents), error)
            if keys is None:
                raise
        documents = {**documents, "keys": {"keys": keys}}
