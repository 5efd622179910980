"""How many replicas there are, how they are replaced, and what memory one of them needs."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from offloader.service.instance import MAX_INSTANCES
from tests.infra.kubernetes_patches import Document
from tests.infra.kubernetes_pod import DEFAULTS, environ_of, pod_of, quantity
from tests.infra.kubernetes_render import FOLDER, RENDERINGS, Rendered, documents
from tests.infra.reading import check_expression
from tests.infra.tools import promtool
from tests.infra.watched import Watched

EACH = pytest.mark.parametrize("name", RENDERINGS)
SCALED = {"hpa-cpu", "hpa-requests"}
RULES: list[Document] = documents(FOLDER / "prometheus-adapter" / "rules.yml")[0]["rules"]
# What the README counts with, as docs/operator.md does: processes with a bucket library, a worker,
# and what is kept free.
PROCESSES_BYTES, WORKER_BYTES, SPARE_BYTES = 105_000_000, 46_000_000, 128 * 2**20
BUILDER_BYTES, BUILDER_TIMES = 260_000_000, Decimal("1.2")


def scaler(made: Rendered) -> Any:
    """Return the autoscaler's fields; None without one."""
    return made.get(("HorizontalPodAutoscaler", "offloader"), {}).get("spec")


def fewest(made: Rendered) -> int:
    """Return the least number of replicas."""
    spec = scaler(made)
    return int(spec["minReplicas"] if spec else pod_of(made).workload["spec"]["replicas"])


@EACH
def test_an_autoscaler_decides_alone(name: str) -> None:
    """It names the workload there is, and then no other number of replicas is written."""
    made, spec = RENDERINGS[name], scaler(RENDERINGS[name])
    workload = pod_of(made).workload
    assert (spec is not None) == (name in SCALED)
    assert ("replicas" in workload["spec"]) == (spec is None)
    if spec:
        target = {key: workload[key] for key in ("apiVersion", "kind")}
        assert spec["scaleTargetRef"] == {**target, "name": workload["metadata"]["name"]}
        assert 2 <= spec["minReplicas"] < spec["maxReplicas"]


@EACH
def test_replicas_fit_what_they_share(name: str) -> None:
    """A shared volume has slots for all, and for as many again while they are replaced."""
    made = RENDERINGS[name]
    spec = scaler(made)
    most = spec["maxReplicas"] if spec else fewest(made)
    if any(kind == "PersistentVolumeClaim" for kind, _ in made):
        assert 2 * most <= MAX_INSTANCES


@EACH
def test_a_rollout_takes_nothing_away(name: str) -> None:
    """A new replica is ready before an old one ends; where each has its volume, others serve on."""
    workload = pod_of(RENDERINGS[name]).workload["spec"]
    assert workload["minReadySeconds"] == 5
    if "updateStrategy" in workload:
        assert workload["updateStrategy"] == {"type": "RollingUpdate"}
        assert workload["replicas"] >= 3
    else:
        assert workload["strategy"] == {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
        }
        # A cold start may take as long as a build; ten minutes, the default, are none.
        assert workload["progressDeadlineSeconds"] > 600


@EACH
def test_the_budget_lets_nodes_be_drained(name: str) -> None:
    """One replica may go, and at least one serves meanwhile."""
    made = RENDERINGS[name]
    budget = made["PodDisruptionBudget", "offloader"]["spec"]
    assert "minAvailable" not in budget
    assert 1 <= budget["maxUnavailable"] < fewest(made)
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


@EACH
def test_memory_is_enough(name: str) -> None:
    """Requested and limited alike; besides snapshots there is room for processes and a build."""
    made, container = RENDERINGS[name], pod_of(RENDERINGS[name]).container
    environ, resources = environ_of(made), container["resources"]
    assert resources["requests"]["memory"] == resources["limits"]["memory"]
    assert "cpu" not in resources["limits"]
    served = quantity(environ["OFFLOADER_MEMORY_LIMIT"].removesuffix("B")) / 2
    build = build_bytes(made)
    largest = (build - BUILDER_BYTES) / BUILDER_TIMES
    assert largest >= served / 2
    page = " ".join((FOLDER / "README.md").read_text(encoding="utf-8").split())
    assert f"{served / 10**6:.0f} MB of segments" in page
    assert f"{build / 10**6:.0f} MB are left for a build" in page
    assert f"segment of up to {round(largest / 10**6, -1):.0f} MB" in page


def build_bytes(made: Rendered) -> Decimal:
    """Return what is left for a build beside the snapshots and the processes."""
    environ = environ_of(made)
    kept = DEFAULTS["OFFLOADER_RESPONSE_CACHE_BYTES"]
    assert isinstance(kept, int)
    workers = int(environ["OFFLOADER_WORKERS"]) * (WORKER_BYTES + kept)
    snapshots = quantity(environ["OFFLOADER_MEMORY_LIMIT"].removesuffix("B"))
    limit = quantity(pod_of(made).container["resources"]["limits"]["memory"])
    return limit - snapshots - PROCESSES_BYTES - workers - SPARE_BYTES


def test_the_cpu_variant_counts_what_is_requested() -> None:
    """Utilisation is a share of the request, so there is one."""
    (metric,) = scaler(RENDERINGS["hpa-cpu"])["metrics"]
    assert (metric["type"], metric["resource"]["name"]) == ("Resource", "cpu")
    target = metric["resource"]["target"]
    assert (target["type"], target["averageUtilization"]) == ("Utilization", 70)
    assert quantity(pod_of(RENDERINGS["hpa-cpu"]).container["resources"]["requests"]["cpu"]) == 2


def test_the_adapter_offers_what_is_asked_for() -> None:
    """Each metric of the autoscaler is made by one rule, of each pod."""
    metrics = scaler(RENDERINGS["hpa-requests"])["metrics"]
    asked = [one["pods"]["metric"]["name"] for one in metrics]
    assert [offered(rule) for rule in RULES] == asked
    for rule in RULES:
        overrides = rule["resources"]["overrides"]
        assert overrides == {key: {"resource": key} for key in ("namespace", "pod")}


def offered(rule: Document) -> str:
    """Return the name that a rule gives its metric."""
    named, series = rule.get("name"), str(rule["seriesQuery"]).partition("{")[0]
    if named is None:
        return series
    assert named["matches"] == f"^{series}$"
    return str(named["as"])


def expression(rule: Document) -> str:
    """Return what the adapter asks Prometheus, for the pods of the namespace."""
    text = str(rule["metricsQuery"])
    for name, value in (
        ("Series", str(rule["seriesQuery"]).partition("{")[0]),
        ("LabelMatchers", 'namespace="offloader",pod=~"offloader-1|offloader-2"'),
        ("GroupBy", "pod"),
    ):
        assert f"<<.{name}>>" in text
        text = text.replace(f"<<.{name}>>", value)
    assert "<<" not in text
    return text


def test_the_adapter_reads_what_is_exposed(seen: Watched) -> None:
    """Series and labels are the real service's, and those that a cluster's Prometheus adds."""
    added = {"namespace": "offloader", "pod": "offloader-1"}
    series = {key: [{**one, **added} for one in many] for key, many in seen.series.items()}
    for rule in RULES:
        check_expression(str(rule["seriesQuery"]), Watched(seen.service, series))
        check_expression(expression(rule), Watched(seen.service, series))


@pytest.mark.usefixtures("tools")
def test_the_adapter_counts_right(tmp_path: Path) -> None:
    """Requests a second of a pod, all endpoints and statuses together; the mean in flight."""
    rules = [{"record": offered(rule), "expr": expression(rule)} for rule in RULES]
    group = {"groups": [{"name": "adapter", "rules": rules}]}
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(group), encoding="utf-8")
    labels = 'namespace="offloader",pod="offloader-1"'
    requests = f"offloader_requests_total{{{labels},"
    series = [
        {"series": f'{requests}endpoint="a",status="200"}}', "values": "0+120x30"},
        {"series": f'{requests}endpoint="b",status="304"}}', "values": "0+60x30"},
        {"series": f"offloader_requests_in_flight{{{labels}}}", "values": "2 6 2 6 2 6"},
    ]
    values = {RULES[0]["name"]["as"]: 3, "offloader_requests_in_flight": 4}
    tests = [
        {
            "expr": expression(rule),
            "eval_time": "5m30s",
            "exp_samples": [{"labels": '{pod="offloader-1"}', "value": values[offered(rule)]}],
        }
        for rule in RULES
    ]
    one = {"interval": "1m", "input_series": series, "promql_expr_test": tests}
    document = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [one]}
    (tmp_path / "test.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    code, printed = promtool("test", "rules", "test.yml", folder=tmp_path)
    assert (code, "SUCCESS" in printed) == (0, True), printed
