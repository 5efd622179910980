"""Every rendering of infra/kubernetes: valid, secure, and true to what Offloader really is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

import offloader
from offloader.service.config.boot import GIVE_UP_AFTER_SECONDS
from offloader.settings.settings import read_settings
from offloader.web.admin import ANSWERS
from tests.docs.markdown import ROOT
from tests.infra.kubernetes_pod import DEFAULTS, environ_of, mapped, pod_of, write_volumes
from tests.infra.kubernetes_render import FOLDER, RENDERINGS, SECRET, Rendered, rendered

EACH = pytest.mark.parametrize("name", RENDERINGS)
# The first with the sleep action, and the newest that is known.
VERSIONS = ("1.30", kubernetes_validate.latest_version())
# What has to be left for the kubelet and the runtime to notice and clean up.
RESERVE_SECONDS = 10


def secrets() -> dict[tuple[str, str], dict[str, str]]:
    """Return the example Secret, with a token that is one."""
    return {("Secret", SECRET["metadata"]["name"]): {**SECRET["stringData"], "admin-token": "t"}}


def labels_of(made: Rendered) -> dict[str, str]:
    """Return the labels of the pods."""
    found: dict[str, str] = pod_of(made).workload["spec"]["template"]["metadata"]["labels"]
    return found


@EACH
@pytest.mark.parametrize("version", VERSIONS)
def test_the_schema_is_kept(name: str, version: str) -> None:
    """Kubernetes knows every field of every document; so does the example Secret's."""
    for one in (*RENDERINGS[name].values(), SECRET):
        kubernetes_validate.validate(one, version, strict=True)


@EACH
def test_the_image_is_this_version(name: str) -> None:
    """One image, of exactly this version."""
    image = pod_of(RENDERINGS[name]).container["image"]
    assert image == f"ghcr.io/offloader/offloader:{offloader.__version__}"


@EACH
def test_selectors_find_the_pods(name: str) -> None:
    """Services, budget, policy, spread constraints and the workload itself select the pod."""
    made = RENDERINGS[name]
    found, pod = _selectors(made), pod_of(made)
    assert len(found) == 5 + len(pod.spec["topologySpreadConstraints"])
    for selector in found:
        assert selector
        assert selector.items() <= labels_of(made).items()


def _selectors(made: Rendered) -> list[dict[str, str]]:
    pod = pod_of(made)
    budget, policy = made["PodDisruptionBudget", "offloader"], made["NetworkPolicy", "offloader"]
    services = [one["spec"]["selector"] for (kind, _), one in made.items() if kind == "Service"]
    nested: list[Any] = [
        pod.workload["spec"]["selector"],
        budget["spec"]["selector"],
        policy["spec"]["podSelector"],
        *(one["labelSelector"] for one in pod.spec["topologySpreadConstraints"]),
    ]
    return services + [one["matchLabels"] for one in nested]


@EACH
def test_ports_are_apart_and_the_services_own(name: str) -> None:
    """Each service has one port, of the number that Offloader binds, and is reached inside only."""
    made, pod = RENDERINGS[name], pod_of(RENDERINGS[name])
    assert {one["name"]: one["containerPort"] for one in pod.container["ports"]} == {
        "api": DEFAULTS["OFFLOADER_API_PORT"],
        "admin": DEFAULTS["OFFLOADER_ADMIN_PORT"],
    }
    for port in ("api", "admin"):
        service = made["Service", f"offloader-{port}"]
        (one,) = service["spec"]["ports"]
        assert service["spec"]["type"] == "ClusterIP"
        assert service["metadata"]["labels"]["app.kubernetes.io/component"] == port
        assert (one["name"], one["targetPort"], one["port"]) == (port, port, pod.port(port))
    admin = made["Service", "offloader-admin"]["spec"]
    assert (admin["clusterIP"], admin["publishNotReadyAddresses"]) == ("None", True)


@EACH
def test_the_environment_is_taken(name: str, tmp_path: Path) -> None:
    """Every variable is known, and every value taken without a warning."""
    made, pod = RENDERINGS[name], pod_of(RENDERINGS[name])
    write_volumes(made, secrets(), tmp_path)
    environ = mapped(pod, environ_of(made), tmp_path)
    memory = 2 * 2**30
    settings, warnings = read_settings(environ, is_terminal=False, cpus=99, memory_bytes=memory)
    assert warnings == ()
    assert settings.admin_token == "t"
    assert settings.workers == 2
    assert settings.memory_limit_bytes == 2**30
    assert settings.config_sync_interval_seconds == 30


@EACH
def test_probes_ask_what_there_is(name: str) -> None:
    """All three, at the admin port; the first waits for longer than a start ever takes to fail."""
    container = pod_of(RENDERINGS[name]).container
    asked = {
        kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")
    }
    assert {kind: one["port"] for kind, one in asked.items()} == dict.fromkeys(asked, "admin")
    assert {kind: one["path"] for kind, one in asked.items()} == {
        "startup": "/live",
        "liveness": "/live",
        "readiness": "/ready",
    }
    assert {one["path"] for one in asked.values()} == ANSWERS.keys()
    startup = container["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] > GIVE_UP_AFTER_SECONDS + 30


@EACH
def test_the_pod_may_do_nothing_else(name: str) -> None:
    """What Pod Security calls restricted, and no token, no service links, no writable root."""
    spec, container = pod_of(RENDERINGS[name]).spec, pod_of(RENDERINGS[name]).container
    (uid,) = re.findall(r"^USER (\d+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.M)
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": int(uid),
        "runAsGroup": int(uid),
        "fsGroup": int(uid),
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC", "initContainers"}
    namespace = RENDERINGS[name]["Namespace", "offloader"]["metadata"]["labels"]
    assert namespace["pod-security.kubernetes.io/enforce"] == "restricted"


@EACH
def test_the_account_is_for_a_cloud_alone(name: str) -> None:
    """The pods' service account is there, and gets no token; where buckets are read it is known."""
    made = RENDERINGS[name]
    account = made["ServiceAccount", pod_of(made).spec["serviceAccountName"]]
    assert account["automountServiceAccountToken"] is False
    identities = account["metadata"].get("annotations", {}).keys()
    assert identities == (set() if name == "base" else {"iam.gke.io/gcp-service-account"})


@EACH
def test_no_rendering_holds_a_secret(name: str) -> None:
    """`kubectl apply -k` never replaces a real secret by an example; everything is in one place."""
    kinds = {kind for kind, _ in RENDERINGS[name]}
    assert "Secret" not in kinds
    spaces = {one["metadata"].get("namespace") for one in RENDERINGS[name].values()}
    assert spaces - {None} == {SECRET["metadata"]["namespace"]} == {"offloader"}


@EACH
def test_a_replica_ends_in_its_own_time(name: str) -> None:
    """preStop, drain and shutdown fit the grace period, with a reserve."""
    pod = pod_of(RENDERINGS[name])
    environ = environ_of(RENDERINGS[name])
    before = pod.container["lifecycle"]["preStop"]["sleep"]["seconds"]
    drain = float(environ["OFFLOADER_DRAIN_SECONDS"])
    needed = before + drain + float(environ["OFFLOADER_SHUTDOWN_SECONDS"]) + RESERVE_SECONDS
    assert pod.spec["terminationGracePeriodSeconds"] >= needed
    # Endpoints are gone from load balancers before a port closes.
    assert before >= 10
    assert drain >= 5


def test_before_the_sleep_action_the_drain_is_longer() -> None:
    """The component takes the hook away for Kubernetes 1.29, and gives its time to the drain."""
    made = with_component("without-sleep-action")
    pod, environ = pod_of(made), environ_of(made)
    for one in made.values():
        kubernetes_validate.validate(one, "1.28", strict=True)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(pod_of(RENDERINGS["volume"]).workload, "1.28", strict=True)
    assert "lifecycle" not in pod.container
    assert float(environ["OFFLOADER_DRAIN_SECONDS"]) == 15
    needed = 15 + float(environ["OFFLOADER_SHUTDOWN_SECONDS"]) + RESERVE_SECONDS
    assert pod.spec["terminationGracePeriodSeconds"] >= needed


def with_component(name: str) -> Rendered:
    """Return the rendering of the shared volume with one more component."""
    return rendered(FOLDER / "overlays" / "volume", FOLDER / "components" / name)
