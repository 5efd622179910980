"""Render a kustomization, where there is no kustomize: a small reader, strict in what it takes.

Where kubectl is there, a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.docs.markdown import ROOT
from tests.infra.kubernetes_patches import Document, PatchError, merged, patched

FOLDER = ROOT / "infra" / "kubernetes"
SERVICE_MONITOR = ROOT / "infra" / "prometheus" / "servicemonitor"
ENTRY = "kustomization.yml"
_API_VERSIONS = {
    "Kustomization": "kustomize.config.k8s.io/v1beta1",
    "Component": "kustomize.config.k8s.io/v1alpha1",
}
_FIELDS = {
    "apiVersion", "kind", "namespace", "resources", "components", "patches", "configMapGenerator",
}  # fmt: skip
_GENERATOR_FIELDS = {"name", "files", "options"}

# A kustomization's documents, by kind and name.
Rendered = dict[tuple[str, str], Document]


def documents(path: Path) -> list[Any]:
    """Return the YAML documents of a file."""
    return [one for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one is not None]


def entry_of(folder: Path) -> Document:
    """Return a folder's kustomization; fail on a field that this reader does not know."""
    (entry,) = documents(folder / ENTRY)
    assert entry["apiVersion"] == _API_VERSIONS[entry["kind"]], folder
    assert entry.keys() <= _FIELDS, (folder, entry.keys() - _FIELDS)
    made: Document = entry
    return made


def rendered(folder: Path, *components: Path) -> Rendered:
    """Return what `kustomize build` makes of a folder, and of more components after it."""
    made = _apply(folder, {})
    for component in components:
        made = _apply(component, made)
    return made


def _apply(folder: Path, made: Rendered) -> Rendered:
    entry = entry_of(folder)
    for name in entry.get("resources", []):
        path = folder / name
        found = rendered(path) if path.is_dir() else _named(documents(path))
        _add(made, found)
    _add(made, _named(list(_generated(folder, entry.get("configMapGenerator", [])))))
    for name in entry.get("components", []):
        assert entry_of(folder / name)["kind"] == "Component", name
        made = _apply(folder / name, made)
    for patch in entry.get("patches", []):
        made = _with(made, folder, patch)
    if "namespace" in entry:
        _put_into(made, entry["namespace"])
    return made


def _named(found: list[Document]) -> Rendered:
    made: Rendered = {}
    for one in found:
        _add(made, {(one["kind"], one["metadata"]["name"]): one})
    return made


def _add(made: Rendered, more: Rendered) -> None:
    assert not made.keys() & more.keys(), made.keys() & more.keys()
    made.update(more)


def _generated(folder: Path, generators: list[Document]) -> Iterator[Document]:
    for one in generators:
        assert one.keys() <= _GENERATOR_FIELDS, one
        options = one["options"]
        assert options.keys() == {"disableNameSuffixHash", "labels"}, options
        assert options["disableNameSuffixHash"] is True
        files = dict(name.split("=") for name in one["files"])
        yield {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": one["name"], "labels": dict(options["labels"])},
            "data": {key: (folder / at).read_text(encoding="utf-8") for key, at in files.items()},
        }


def _with(made: Rendered, folder: Path, patch: Document) -> Rendered:
    """Return the documents with one patch applied; fail when its target is not there."""
    (change,) = documents(folder / patch["path"])
    if isinstance(change, dict):
        assert patch.keys() == {"path"}, patch
        at = change["kind"], change["metadata"]["name"]
        assert made[at]["apiVersion"] == change["apiVersion"], at
        if change.get("$patch") == "delete":
            return {key: one for key, one in made.items() if key != at}
        return {**made, at: merged(made[at], change)}
    target, options = patch["target"], patch["options"]
    assert patch.keys() == {"path", "target", "options"}, patch
    assert target.keys() == {"kind", "name"}, target
    assert options == {"allowKindChange": True}
    old = made[target["kind"], target["name"]]
    new = patched(old, change)
    if new["kind"] == old["kind"]:
        raise PatchError("write a strategic merge patch")
    return _named([*(one for one in made.values() if one is not old), new])


def _put_into(made: Rendered, namespace: str) -> None:
    for (kind, name), one in made.items():
        if kind == "Namespace":
            assert name == namespace
        else:
            assert one["metadata"].setdefault("namespace", namespace) == namespace


OVERLAYS = sorted(path.name for path in (FOLDER / "overlays").iterdir())
RENDERINGS = {
    "base": rendered(FOLDER / "base"),
    **{name: rendered(FOLDER / "overlays" / name) for name in OVERLAYS},
}
(SECRET,) = documents(FOLDER / "secret.example.yml")
