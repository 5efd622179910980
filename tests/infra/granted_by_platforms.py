"""Read what Kubernetes, Nomad, ECS and systemd are told to grant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import hcl2
from hcl2 import SerializationOptions

from tests.infra.hardening import STATE_FOLDER, Granted
from tests.infra.kubernetes_pod import environ_of, pod_of
from tests.infra.kubernetes_render import Rendered, rendered
from tests.infra.unit_file import read_unit

_PLAIN = SerializationOptions(
    with_comments=False, explicit_blocks=False, strip_string_quotes=True, preserve_heredocs=False
)
_PROBES = {"startupProbe", "readinessProbe", "livenessProbe"}


def kubernetes(folder: Path, place: str) -> Granted:
    """Read the pod of a kustomization, as it is after every patch."""
    made = rendered(folder)
    pod = pod_of(made)
    own, whole = pod.container["securityContext"], pod.spec["securityContext"]
    user = {**whole, **own}
    mounts = pod.container["volumeMounts"]
    sleep = pod.container.get("lifecycle", {}).get("preStop", {}).get("sleep", {})
    return Granted(
        place=place,
        image=pod.container["image"],
        user=f"{user['runAsUser']}:{user['runAsGroup']}" if user["runAsNonRoot"] else "",
        is_read_only=own["readOnlyRootFilesystem"] is True,
        has_no_capabilities=own["capabilities"] == {"drop": ["ALL"]},
        has_no_new_privileges=own["allowPrivilegeEscalation"] is False,
        is_admin_private=_is_admin_inside(made) and "hostNetwork" not in pod.spec,
        writable=tuple(one["mountPath"] for one in mounts if not one.get("readOnly")),
        stop_seconds=float(pod.spec["terminationGracePeriodSeconds"]),
        before_stop_seconds=float(sleep.get("seconds", 0)),
        has_health_check=pod.container.keys() >= _PROBES,
        environ=environ_of(made),
        is_restarted=pod.spec.get("restartPolicy", "Always") == "Always",
    )


def _is_admin_inside(made: Rendered) -> bool:
    """Tell whether no service leads to the admin port from outside, and a policy guards it."""
    services = [one["spec"] for (kind, _), one in made.items() if kind == "Service"]
    admin = [one for one in services if any(p["targetPort"] == "admin" for p in one["ports"])]
    is_inside = all(one.get("type", "ClusterIP") == "ClusterIP" for one in admin)
    return is_inside and any(kind == "NetworkPolicy" for kind, _ in made)


def nomad(path: Path, place: str) -> Granted:
    """Read the one task of a job."""
    job: Any = hcl2.loads(path.read_text(encoding="utf-8"), serialization_options=_PLAIN)
    group = _inside(_inside(job["job"])["group"])
    task, ports = _inside(group["task"]), _inside(group["network"])["port"]
    config, environ = _inside(task["config"]), _inside(task["env"])
    network = {name: port for one in ports for name, port in one.items()}
    mounts = task["volume_mount"]
    checked = [check["path"] for one in group["service"] for check in one["check"]]
    return Granted(
        place=place,
        image=config["image"],
        user=task["user"],
        is_read_only=config["readonly_rootfs"] is True,
        has_no_capabilities=config["cap_drop"] == ["all"] and "cap_add" not in config,
        has_no_new_privileges=config["security_opt"] == ["no-new-privileges"],
        is_admin_private=network["admin"]["host_network"] == "private",
        writable=tuple(one["destination"] for one in mounts if not one.get("read_only")),
        stop_seconds=float(task["kill_timeout"].removesuffix("s")),
        has_health_check={"/ready", "/live"} <= set(checked),
        environ=environ,
        is_restarted=_inside(group["restart"])["mode"] == "delay",
    )


def _inside(blocks: Any) -> Any:
    """Return the only block of its kind; of a labelled one what stands inside."""
    (block,) = blocks if isinstance(blocks, list) else [blocks]
    held = list(block.values())
    is_labelled = len(held) == 1 and isinstance(held[0], dict)
    return held[0] if is_labelled else block


def ecs(path: Path, place: str) -> Granted:
    """Read the one container of a task definition, and of the service beside it its network."""
    task: Any = json.loads(path.read_text(encoding="utf-8"))
    service: Any = json.loads((path.parent / "service.json").read_text(encoding="utf-8"))
    (one,) = task["containerDefinitions"]
    balanced = {target["containerPort"] for target in service["loadBalancers"]}
    network = service["networkConfiguration"]["awsvpcConfiguration"]
    return Granted(
        place=place,
        image=one["image"],
        user=one["user"],
        is_read_only=one["readonlyRootFilesystem"] is True,
        has_no_capabilities=one["linuxParameters"]["capabilities"] == {"drop": ["ALL"]},
        has_no_new_privileges="no-new-privileges" in one.get("dockerSecurityOptions", []),
        is_admin_private=4001 not in balanced and network["assignPublicIp"] == "DISABLED",
        writable=tuple(m["containerPath"] for m in one["mountPoints"] if not m.get("readOnly")),
        stop_seconds=float(one["stopTimeout"]),
        has_health_check=one["healthCheck"]["command"][0] == "CMD",
        environ={pair["name"]: pair["value"] for pair in one["environment"]},
        secrets=tuple(secret["name"] for secret in one["secrets"]),
        is_restarted=service["desiredCount"] > 0,
    )


def systemd(path: Path, place: str) -> Granted:
    """Read a unit that runs the service without a container."""
    unit = {name: values[-1] for name, values in read_unit(path).items()}
    environ = dict(pair.split("=", 1) for pair in read_unit(path)["Environment"])
    is_state = unit["StateDirectory"] == "offloader" and "ReadWritePaths" not in unit
    return Granted(
        place=place,
        image="",
        user="dynamic" if unit["DynamicUser"] == "yes" else unit["User"],
        is_read_only=unit["ProtectSystem"] == "strict",
        has_no_capabilities=unit["CapabilityBoundingSet"] == unit["AmbientCapabilities"] == "",
        has_no_new_privileges=unit["NoNewPrivileges"] == "yes",
        is_admin_private=environ["OFFLOADER_ADMIN_HOST"] == "127.0.0.1",
        writable=(STATE_FOLDER,) if is_state else (),
        stop_seconds=float(unit["TimeoutStopSec"]),
        has_health_check="WatchdogSec" in unit,
        environ=environ,
        is_restarted=unit["Restart"] == "always",
    )
