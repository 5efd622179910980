"""A pod of a rendering, as the kubelet would run it: environment, volumes, mounts, probes.

Containers' paths lie below a folder of the test's; ports are the kernel's.
"""

from __future__ import annotations

import http.client
import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from offloader.settings.variables import VARIABLES
from tests.infra.kubernetes_patches import Document
from tests.infra.kubernetes_render import Rendered
from tests.service_process import Running

WORKLOADS = ("Deployment", "StatefulSet")
DEFAULTS = {one.name: one.default for one in VARIABLES}
# What a volume's keys hold, by the kind and name of their object.
Contents = Mapping[tuple[str, str], Mapping[str, str]]
_UNITS = {"": Decimal(1), "m": Decimal("0.001"), "Mi": Decimal(2**20), "Gi": Decimal(2**30)}


@dataclass(frozen=True, slots=True)
class Pod:
    """The one workload of a rendering, its pod and its one container."""

    workload: Document
    spec: Document
    container: Document

    def mounted(self, path: str) -> Document | None:
        """Return the mount that a path of the container lies on; None when it is on none."""
        mounts = self.container["volumeMounts"]
        found = [one for one in mounts if Path(path).is_relative_to(one["mountPath"])]
        return max(found, key=lambda one: len(one["mountPath"]), default=None)

    def volume(self, name: str) -> Document:
        """Return a volume, of the pod or of a claim's template."""
        claims = self.workload["spec"].get("volumeClaimTemplates", [])
        found = [one for one in self.spec["volumes"] if one["name"] == name]
        found += [{"name": name, "claim": one} for one in claims if one["metadata"]["name"] == name]
        (one,) = found
        volume: Document = one
        return volume

    def port(self, name: str | int) -> int:
        """Return the number of a container's port."""
        ports = {one["name"]: int(one["containerPort"]) for one in self.container["ports"]}
        return ports[name] if isinstance(name, str) else name


def pod_of(made: Rendered) -> Pod:
    """Return the pod of a rendering."""
    (workload,) = (one for (kind, _), one in made.items() if kind in WORKLOADS)
    spec = workload["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    return Pod(workload, spec, container)


def quantity(text: str) -> Decimal:
    """Return what a quantity stands for: 2, 500m, 512Mi, 1Gi."""
    digits = text.rstrip("mMGi")
    return Decimal(digits) * _UNITS[text[len(digits) :]]


def environ_of(made: Rendered) -> dict[str, str]:
    """Return the container's environment, with the links to services unless they are off."""
    pod = pod_of(made)
    found = {} if pod.spec.get("enableServiceLinks") is False else _service_links(made)
    for one in pod.container["env"]:
        assert one["name"] not in found, one
        found[one["name"]] = one["value"] if "value" in one else _from_resource(pod, one)
    return found


def _from_resource(pod: Pod, variable: Document) -> str:
    """Return a request or limit as the kubelet writes it: in whole units, rounded up."""
    reference = variable["valueFrom"]["resourceFieldRef"]
    assert reference["containerName"] == pod.container["name"]
    kind, _, resource = reference["resource"].partition(".")
    return str(math.ceil(quantity(pod.container["resources"][kind][resource])))


def _service_links(made: Rendered) -> dict[str, str]:
    services = [one for (kind, _), one in made.items() if kind == "Service"]
    return {
        f"{one['metadata']['name'].upper().replace('-', '_')}_PORT": "tcp://10.0.0.1:4000"
        for one in services
        if one["spec"].get("clusterIP") != "None"
    }


def write_volumes(made: Rendered, secrets: Contents, folder: Path) -> None:
    """Write every mounted volume below a folder; again, with other contents, it swaps them."""
    contents: dict[tuple[str, str], Mapping[str, str]] = {
        key: one["data"] for key, one in made.items() if key[0] == "ConfigMap"
    }
    contents.update(secrets)
    pod = pod_of(made)
    for mount in pod.container["volumeMounts"]:
        volume = pod.volume(mount["name"])
        root = folder / mount["mountPath"].lstrip("/")
        root.mkdir(parents=True, exist_ok=True)
        sources = volume.get("projected", {}).get("sources") or [volume]
        files = {at: text for one in sources for at, text in _files(one, contents).items()}
        if files:
            _swap_in(root, files)


def _files(source: Document, contents: Contents) -> dict[str, str]:
    if "configMap" in source:
        held = contents["ConfigMap", source["configMap"]["name"]]
        items = source["configMap"]["items"]
    elif "secret" in source:
        secret = source["secret"]
        held = contents["Secret", secret.get("name") or secret["secretName"]]
        items = secret["items"]
    else:
        return {}
    return {item["path"]: held[item["key"]] for item in items}


def _swap_in(root: Path, files: Mapping[str, str]) -> None:
    """Write files as the kubelet does: aside, behind one link, which is swapped in one step."""
    aside = root / f"..version_{len(list(root.glob('..version_*')))}"
    for name, text in files.items():
        (aside / name).parent.mkdir(parents=True, exist_ok=True)
        (aside / name).write_text(text, encoding="utf-8")
    (root / "..new").symlink_to(aside.name)
    (root / "..new").replace(root / "..data")
    for name in {Path(name).parts[0] for name in files}:
        if not (root / name).is_symlink():
            (root / name).symlink_to(f"..data/{name}")


def mapped(pod: Pod, environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return an environment whose paths are those of the written volumes."""
    return {
        name: str(folder / text.lstrip("/")) if pod.mounted(text) else text
        for name, text in environ.items()
    }


def probe(service: Running, pod: Pod, kind: str) -> int:
    """Ask as the kubelet does; return the status, 0 when no answer came in time, time and again."""
    one: dict[str, Any] = pod.container[kind]
    tries = (_probe_once(service, pod, one) for _ in range(one["failureThreshold"]))
    return next((status for status in tries if status), 0)


def _probe_once(service: Running, pod: Pod, one: dict[str, Any]) -> int:
    ports = {
        DEFAULTS["OFFLOADER_API_PORT"]: service.api,
        DEFAULTS["OFFLOADER_ADMIN_PORT"]: service.admin,
    }
    host, port = ports[pod.port(one["httpGet"]["port"])]
    connection = http.client.HTTPConnection(host, port, timeout=one["timeoutSeconds"])
    fields = {"User-Agent": "kube-probe/1.34", "Accept": "*/*", "Connection": "close"}
    try:
        connection.request("GET", one["httpGet"]["path"], headers=fields)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
