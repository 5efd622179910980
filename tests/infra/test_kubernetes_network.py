"""The admin port in a cluster: private, and scraped all the same."""

from __future__ import annotations

import json
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.kubernetes_network import Caller, reached
from tests.infra.kubernetes_pod import pod_of
from tests.infra.kubernetes_render import RENDERINGS, SERVICE_MONITOR, rendered
from tests.infra.tools import PROMETHEUS_FOLDER, promtool
from tests.infra.watched import TARGET_LABELS

EACH = pytest.mark.parametrize("name", RENDERINGS)
PROMETHEUS = {"app.kubernetes.io/name": "prometheus"}
OPERATOR = {"app.kubernetes.io/name": "offloader-operator"}
API, ADMIN = 4000, 4001
CALLERS = [
    (Caller("monitoring", PROMETHEUS), {API, ADMIN}),
    (Caller("monitoring", {"app.kubernetes.io/name": "grafana"}), {API}),
    (Caller("offloader", OPERATOR), {API, ADMIN}),
    (Caller("offloader", PROMETHEUS), {API}),
    (Caller("offloader", {"app.kubernetes.io/name": "offloader"}), {API}),
    (Caller("shop", OPERATOR), {API}),
    (Caller("shop", PROMETHEUS), {API}),
    (Caller("shop", {}), {API}),
]
# For how long promtool takes in targets: always so long, and on a busy machine not always enough.
# They are static ones, which stand for those of a cluster.
COLLECTED_SECONDS = (1, 4, 16)


@EACH
@pytest.mark.parametrize(("caller", "expected"), CALLERS)
def test_the_admin_port_is_private(name: str, caller: Caller, expected: set[int]) -> None:
    """Everybody reaches the API port; the admin port Prometheus' pods and operators' alone."""
    made = RENDERINGS[name]
    assert reached(made["NetworkPolicy", "offloader"], pod_of(made), caller) == expected


@EACH
def test_services_are_the_same_everywhere(name: str) -> None:
    """What is scraped does not depend on the overlay."""
    for kind, one in RENDERINGS["base"].items():
        assert kind[0] != "Service" or RENDERINGS[name][kind] == one


@EACH
def test_the_monitor_selects_the_admin_service(name: str) -> None:
    """Its labels and port are those of exactly one service, in its own namespace."""
    (monitor,) = rendered(SERVICE_MONITOR).values()
    assert (monitor["apiVersion"], monitor["kind"]) == (
        "monitoring.coreos.com/v1",
        "ServiceMonitor",
    )
    spec = monitor["spec"]
    assert spec.keys() == {"jobLabel", "selector", "endpoints"}  # its own namespace, then
    services = [one for (kind, _), one in RENDERINGS[name].items() if kind == "Service"]
    wanted = spec["selector"]["matchLabels"].items()
    (found,) = (one for one in services if wanted <= one["metadata"]["labels"].items())
    assert found["metadata"]["name"] == "offloader-admin"
    assert found["metadata"]["namespace"] == monitor["metadata"]["namespace"]
    (endpoint,) = spec["endpoints"]
    assert endpoint["port"] in {one["name"] for one in found["spec"]["ports"]}
    assert found["metadata"]["labels"][spec["jobLabel"]] == TARGET_LABELS["job"]


def test_every_way_to_scrape_is_the_same() -> None:
    """Job, path and intervals: on a machine, by service discovery, and by the operator."""
    plain, found = _config("prometheus.yml"), _config("prometheus-kubernetes.yml")
    (local,), (cluster,) = plain["scrape_configs"], found["scrape_configs"]
    assert (plain["global"], plain["rule_files"]) == (found["global"], found["rule_files"])
    assert local["job_name"] == cluster["job_name"] == TARGET_LABELS["job"]
    assert local["metrics_path"] == cluster["metrics_path"]
    (monitor,) = rendered(SERVICE_MONITOR).values()
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["path"] == local["metrics_path"]
    assert endpoint["interval"] == plain["global"]["scrape_interval"]


def _config(name: str) -> Any:
    return yaml.safe_load((PROMETHEUS_FOLDER / name).read_text(encoding="utf-8"))


@pytest.mark.usefixtures("tools")
def test_service_discovery_finds_the_admin_ports(tmp_path: Path) -> None:
    """Of all endpoints in the namespace: the admin port of each replica, with namespace and pod."""
    config = _config("prometheus-kubernetes.yml")
    (job,) = config["scrape_configs"]
    (discovery,) = job.pop("kubernetes_sd_configs")
    assert discovery == {"role": "endpointslice", "namespaces": {"names": ["offloader"]}}
    job["static_configs"] = endpoints()
    config["rule_files"] = []
    (tmp_path / "config.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    found = discovered(tmp_path, len(job["static_configs"]))
    kept = [one["labels"] for one in found if one["labels"]]
    by_instance = sorted(map(visible, kept), key=itemgetter("instance"))
    assert by_instance == [
        {
            "job": "offloader",
            "instance": f"10.0.0.{number}:{ADMIN}",
            "namespace": "offloader",
            "pod": f"offloader-{number}",
        }
        for number in (1, 2)
    ]


def discovered(folder: Path, targets: int) -> list[dict[str, Any]]:
    """Return each target before and after relabeling, as promtool has them."""
    for seconds in COLLECTED_SECONDS:
        words = ("check", "service-discovery", f"--timeout={seconds}s", "config.yml", "offloader")
        code, printed = promtool(*words, folder=folder)
        assert code == 0, printed
        found: list[dict[str, Any]] = json.loads(printed) or []
        if len(found) == targets:
            return found
    raise AssertionError(printed)


def visible(labels: dict[str, str]) -> dict[str, str]:
    """Return the labels that are left on a series."""
    return {key: text for key, text in labels.items() if not key.startswith("__")}


def endpoints() -> list[dict[str, Any]]:
    """Return what service discovery makes of the services and of two pods, as static targets."""
    services = [one for (kind, _), one in RENDERINGS["base"].items() if kind == "Service"]
    stranger = {"metadata": {"labels": {}}, "spec": {"ports": [{"name": "admin", "port": 9000}]}}
    made = []
    for service in (*services, stranger):
        labels = service["metadata"]["labels"].items()
        prefix = "__meta_kubernetes_service_label_"
        seen = {prefix + key.replace(".", "_").replace("/", "_"): text for key, text in labels}
        (port,) = service["spec"]["ports"]
        for number in (1, 2):
            more = {
                "__meta_kubernetes_namespace": "offloader",
                "__meta_kubernetes_endpointslice_port_name": port["name"],
                "__meta_kubernetes_pod_name": f"offloader-{number}",
            }
            target = f"10.0.0.{number}:{port['port']}"
            made.append({"targets": [target], "labels": {**seen, **more}})
    return made
