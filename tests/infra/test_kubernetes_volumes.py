"""What the pods of infra/kubernetes mount: the project, the secrets, and where the cache lies."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.infra.kubernetes_patches import Document
from tests.infra.kubernetes_pod import (
    DEFAULTS,
    Pod,
    environ_of,
    mapped,
    pod_of,
    quantity,
    write_volumes,
)
from tests.infra.kubernetes_render import FOLDER, RENDERINGS, SECRET, Rendered
from tests.service_process import OFFLOADER

EACH = pytest.mark.parametrize("name", RENDERINGS)
STATELESS = {"stateless-gcs", "hpa-requests"}
CACHE = str(DEFAULTS["OFFLOADER_CACHE_DIR"])
# "The cache volume needs three times the segments": these, the ones before, a build's files.
CACHE_TIMES = 3


def cache_of(pod: Pod) -> Document:
    """Return the volume that the cache lies on."""
    mount = pod.mounted(CACHE)
    assert mount is not None
    assert "readOnly" not in mount
    return pod.volume(mount["name"])


@EACH
def test_what_is_mounted_is_there(name: str) -> None:
    """Every volume is mounted once, whole, and every ConfigMap, Secret and key of it exists."""
    made, pod = RENDERINGS[name], pod_of(RENDERINGS[name])
    mounts = pod.container["volumeMounts"]
    claims = pod.workload["spec"].get("volumeClaimTemplates", [])
    names = [one["name"] for one in pod.spec["volumes"]]
    names += [one["metadata"]["name"] for one in claims]
    assert sorted(one["name"] for one in mounts) == sorted(names)
    assert not any("subPath" in one for one in mounts)  # such a file is never updated
    for kind, source in sources(pod):
        object_name = source.get("name") or source.get("secretName") or source.get("claimName")
        if kind == "secret":
            assert object_name == SECRET["metadata"]["name"]
            assert {item["key"] for item in source["items"]} <= SECRET["stringData"].keys()
        elif kind == "configMap":
            keys = [item["key"] for item in source["items"]]
            assert sorted(keys) == sorted(made["ConfigMap", object_name]["data"])
        elif kind == "persistentVolumeClaim":
            assert ("PersistentVolumeClaim", object_name) in made


def sources(pod: Pod) -> Iterator[tuple[str, Any]]:
    """Yield the kind and the fields of all that volumes are made of."""
    for volume in pod.spec["volumes"]:
        for one in volume.get("projected", {}).get("sources") or [volume]:
            yield from ((kind, source) for kind, source in one.items() if kind != "name")


@EACH
def test_config_and_secrets_are_read_only(name: str) -> None:
    """They lie on mounts that nobody can write, in files that others cannot read."""
    made, pod = RENDERINGS[name], pod_of(RENDERINGS[name])
    environ = environ_of(made)
    paths = [environ["OFFLOADER_ADMIN_TOKEN_FILE"]]
    if name in STATELESS:
        assert environ["OFFLOADER_CONFIG"] == "gs://example-bucket/project"
        assert environ["OFFLOADER_SEGMENT_STORE"] == "gs://example-bucket/segments"
        assert not {kind for kind, _ in made} & {"ConfigMap", "PersistentVolumeClaim"}
    else:
        paths.append(environ["OFFLOADER_CONFIG"])
    for path in paths:
        mount = pod.mounted(path)
        assert mount is not None
        assert mount["readOnly"] is True
        volume = pod.volume(mount["name"])
        assert (volume.get("projected") or volume["secret"])["defaultMode"] == 0o440


@pytest.mark.parametrize("name", sorted(RENDERINGS.keys() - STATELESS))
def test_the_project_is_valid(name: str, tmp_path: Path) -> None:
    """`offloader validate` accepts what the pod sees, with the example's keys."""
    made = RENDERINGS[name]
    project = written_project(made, tmp_path)
    done = subprocess.run(
        [OFFLOADER, "validate", "--json", project], capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done
    assert json.loads(done.stdout) == {
        "ok": True,
        "problems": [],
        "warnings": [],
        "datasets": 1,
        "endpoints": 1,
        "keys": 1,
    }


def written_project(made: Rendered, folder: Path) -> Path:
    """Write what the pod sees as its project; return the folder."""
    write_volumes(made, {("Secret", "offloader-secrets"): SECRET["stringData"]}, folder)
    return Path(mapped(pod_of(made), environ_of(made), folder)["OFFLOADER_CONFIG"])


def test_every_file_of_the_project_is_in_the_config_map(tmp_path: Path) -> None:
    """A file that is added to the folder project/ and nowhere else is missed here."""
    seen = written_project(RENDERINGS["base"], tmp_path)
    project = FOLDER / "base" / "project"
    files = {path.relative_to(project) for path in project.rglob("*") if path.is_file()}
    for path in files:
        assert (seen / path).read_text("utf-8") == (project / path).read_text("utf-8")
    shown = {path.relative_to(seen / "..data") for path in (seen / "..data").rglob("*.*")}
    assert shown == files | {Path("keys/keys.yml")}


@EACH
def test_replicas_share_only_what_can_be_shared(name: str) -> None:
    """A Deployment's claim is for many nodes; one for a single node is each replica's own."""
    made, pod = RENDERINGS[name], pod_of(RENDERINGS[name])
    volume = cache_of(pod)
    if "claim" in volume:
        assert pod.workload["kind"] == "StatefulSet"
        assert volume["claim"]["spec"]["accessModes"] == ["ReadWriteOnce"]
    elif "persistentVolumeClaim" in volume:
        claim = made["PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]]
        assert pod.workload["kind"] == "Deployment"
        assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    else:
        assert volume["emptyDir"].keys() == {"sizeLimit"}  # no medium: memory would count twice
    kinds = {"claim", "persistentVolumeClaim", "emptyDir"} & volume.keys()
    expected = {"volume": "persistentVolumeClaim", "hpa-cpu": "persistentVolumeClaim"}
    assert kinds == {expected.get(name, "claim" if "per-replica" in name else "emptyDir")}


@EACH
def test_the_cache_has_room(name: str) -> None:
    """Three times the memory for snapshots; scratch space ends before the node's share does."""
    made, pod = RENDERINGS[name], pod_of(RENDERINGS[name])
    volume = cache_of(pod)
    needed = CACHE_TIMES * quantity(environ_of(made)["OFFLOADER_MEMORY_LIMIT"].removesuffix("B"))
    if "emptyDir" in volume:
        given = quantity(volume["emptyDir"]["sizeLimit"])
        for kind in ("requests", "limits"):
            assert given < quantity(pod.container["resources"][kind]["ephemeral-storage"])
    else:
        claims = [one for (kind, _), one in made.items() if kind == "PersistentVolumeClaim"]
        claim = volume["claim"] if "claim" in volume else claims[0]
        given = quantity(claim["spec"]["resources"]["requests"]["storage"])
    assert given >= needed
