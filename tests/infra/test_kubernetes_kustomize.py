"""The kustomizations themselves: complete, strict, and rendered here as kubectl renders them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.kubernetes_patches import PatchError, merged, patched
from tests.infra.kubernetes_render import (
    ENTRY,
    FOLDER,
    RENDERINGS,
    SERVICE_MONITOR,
    Rendered,
    entry_of,
    rendered,
)

ENTRIES = sorted([*FOLDER.rglob(ENTRY), SERVICE_MONITOR / ENTRY])
# What is for people, or for other programs.
LOOSE = {"secret.example.yml", "prometheus-adapter/rules.yml"}


def named_by(entry: Path) -> list[Path]:
    """Return the files and folders that a kustomization names."""
    found, folder = entry_of(entry.parent), entry.parent
    names = [*found.get("resources", []), *found.get("components", [])]
    names += [one["path"] for one in found.get("patches", [])]
    for one in found.get("configMapGenerator", []):
        names += [name.partition("=")[2] for name in one["files"]]
    return [(folder / name).resolve() for name in names]


def test_every_file_is_in_one_kustomization() -> None:
    """No manifest is forgotten, and none is there twice."""
    files = sorted(path for path in FOLDER.rglob("*.yml") if path.name != ENTRY)
    named = sorted(path for entry in ENTRIES for path in named_by(entry) if path.is_file())
    kept = {str(path.relative_to(FOLDER)) for path in files if path not in named}
    assert kept == LOOSE
    in_kubernetes = [path for path in named if path.is_relative_to(FOLDER)]
    assert len(in_kubernetes) == len(set(in_kubernetes))


def test_every_part_is_used() -> None:
    """Each component and the base belong to an overlay; the one for old clusters is on request."""
    folders = {entry.parent for entry in ENTRIES if entry.is_relative_to(FOLDER)}
    named = {path for entry in ENTRIES for path in named_by(entry) if path.is_dir()}
    unused = {str(path.relative_to(FOLDER)) for path in folders - named}
    assert unused == {
        "components/without-sleep-action",
        "overlays/hpa-cpu",
        "overlays/hpa-requests",
        "overlays/volume-per-replica",
    }


@pytest.mark.parametrize("name", RENDERINGS)
def test_kubectl_renders_the_same(name: str, kubectl: str) -> None:
    """The reader of these tests and the real one agree on every document."""
    folder = FOLDER / ("base" if name == "base" else f"overlays/{name}")
    assert in_any_order(RENDERINGS[name]) == in_any_order(by_kubectl(kubectl, folder))


def test_kubectl_renders_the_same_with_a_component(kubectl: str, tmp_path: Path) -> None:
    """As a customer puts the parts together, in a folder of their own."""
    at = os.path.relpath(FOLDER, tmp_path)
    entry = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [f"{at}/overlays/volume"],
        "components": [f"{at}/components/without-sleep-action"],
    }
    (tmp_path / ENTRY).write_text(yaml.safe_dump(entry), encoding="utf-8")
    made = rendered(FOLDER / "overlays/volume", FOLDER / "components/without-sleep-action")
    assert in_any_order(made) == in_any_order(by_kubectl(kubectl, tmp_path))
    monitor = rendered(SERVICE_MONITOR)
    assert in_any_order(monitor) == in_any_order(by_kubectl(kubectl, SERVICE_MONITOR))


def by_kubectl(kubectl: str, folder: Path) -> Rendered:
    """Return what the real kustomize makes of a folder."""
    done = subprocess.run(
        [kubectl, "kustomize", str(folder)], capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, b""), done.stderr
    found = list(yaml.safe_load_all(done.stdout))
    return {(one["kind"], one["metadata"]["name"]): one for one in found}


def in_any_order(value: Any) -> Any:
    """Return a document with its lists sorted: merged lists come in another order."""
    if isinstance(value, dict):
        return {key: in_any_order(one) for key, one in value.items()}
    if isinstance(value, list):
        return sorted((in_any_order(one) for one in value), key=lambda one: yaml.safe_dump(one))
    return value


def test_patches_do_something() -> None:
    """A patch that removes what is not there, or a list nobody knows, is an error."""
    target = {"a": 1, "env": [{"name": "x", "value": "1"}, {"name": "y", "value": "2"}]}
    patch = {"a": None, "env": [{"name": "x", "value": "3"}, {"name": "y", "$patch": "delete"}]}
    assert merged(target, patch) == {"env": [{"name": "x", "value": "3"}]}
    for wrong in ({"b": None}, {"env": [{"name": "z", "$patch": "delete"}]}, {"args": ["serve"]}):
        with pytest.raises(PatchError):
            merged(target, wrong)
    assert patched(target, [{"op": "remove", "path": "/env"}]) == {"a": 1}
    for verb, path in (("remove", "/b"), ("replace", "/b"), ("add", "/a"), ("move", "/a")):
        with pytest.raises(PatchError):
            patched(target, [{"op": verb, "path": path, "value": 1}])


def test_kustomizations_are_read_strictly(tmp_path: Path) -> None:
    """A field that the reader does not know, and a patch without its target, are errors."""
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "other"},
        "spec": {"replicas": 1},
    }
    shutil.copytree(FOLDER / "base", tmp_path / "base")
    path = tmp_path / "base" / ENTRY
    entry = yaml.safe_load(path.read_text(encoding="utf-8"))
    (tmp_path / "base" / "patch.yml").write_text(yaml.safe_dump(deployment), encoding="utf-8")
    for change, error in (
        ({"commonLabels": {"a": "b"}}, AssertionError),
        ({"patches": [{"path": "patch.yml"}]}, KeyError),
        ({"resources": [*entry["resources"], "deployment.yml"]}, AssertionError),
    ):
        path.write_text(yaml.safe_dump(entry | change), encoding="utf-8")
        with pytest.raises(error):
            rendered(tmp_path / "base")
