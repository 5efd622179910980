"""The task definition and the service for ECS: what AWS would say of them, and a real run."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ParamValidationError
from botocore.validate import validate_parameters

from tests.container.engine import Engine
from tests.docs.markdown import ROOT
from tests.infra.container_spec import (
    ADMIN_PORT,
    API_PORT,
    LEAST_GRACE_SECONDS,
    ContainerSpec,
    check_routes,
    run_as_said,
)
from tests.projects import usage_project
from tests.service_process import ADMIN_TOKEN

FOLDER = ROOT / "infra" / "ecs"
# AWS Fargate: seconds a task may take to stop, sizes of its disk, memory for two CPUs.
FARGATE_STOP_SECONDS = 120
FARGATE_DISK_GIB = range(21, 201)
FARGATE_MEMORY_OF_2_CPU = range(4096, 16385, 1024)


@pytest.fixture(scope="module")
def task() -> Any:
    return json.loads((FOLDER / "task-definition.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def service() -> Any:
    return json.loads((FOLDER / "service.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def container(task: Any) -> Any:
    (container,) = task["containerDefinitions"]
    return container


@pytest.fixture(scope="module")
def spec(task: Any, container: Any) -> ContainerSpec:
    (mount,) = container["mountPoints"]
    assert [volume["name"] for volume in task["volumes"]] == [mount["sourceVolume"]]
    return ContainerSpec(
        image=container["image"],
        user=container["user"],
        is_read_only=container["readonlyRootFilesystem"],
        dropped=tuple(container["linuxParameters"]["capabilities"]["drop"]),
        security=(),  # Fargate has no such option
        environ={one["name"]: one["value"] for one in container["environment"]},
        state_mount=mount["containerPath"],
        memory_mib=container["memory"],
        secrets={},
    )


def test_the_task_definition_is_what_ecs_takes(task: Any) -> None:
    """Botocore's model of RegisterTaskDefinition knows every field, type and choice."""
    _check_call("RegisterTaskDefinition", task)


def test_the_service_is_what_ecs_takes(service: Any) -> None:
    """Botocore's model of CreateService knows every field, type and choice."""
    _check_call("CreateService", service)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda task: task.update(networkMod="awsvpc"),
        lambda task: task.update(cpu=2048),
        lambda task: task.update(networkMode="awsvpn"),
        lambda task: task.pop("containerDefinitions"),
        lambda task: task["containerDefinitions"][0].update(readOnlyRootFilesystem=True),
        lambda task: task["containerDefinitions"][0]["healthCheck"].pop("command"),
    ],
    ids=["field", "type", "choice", "missing", "nested-field", "nested-missing"],
)
def test_the_check_finds_faults(task: Any, spoil: Callable[[Any], object]) -> None:
    """A misspelt field, a wrong type, an unknown choice and a missing field are found."""
    spoiled = copy.deepcopy(task)
    spoil(spoiled)
    with pytest.raises((ParamValidationError, AssertionError)):
        _check_call("RegisterTaskDefinition", spoiled)


def test_the_container_is_hardened(spec: ContainerSpec, container: Any) -> None:
    """It runs the version of this tree, read-only, without capabilities, as 10001, state kept."""
    spec.check()
    assert container["privileged"] is False


def test_the_environment_is_right(spec: ContainerSpec, container: Any, tmp_path: Path) -> None:
    """Every variable exists and has a value that is taken; the token is a secret of its own."""
    (secret,) = container["secrets"]
    assert ":secretsmanager:" in secret["valueFrom"]
    whole = spec.with_environ(admin_token=ADMIN_TOKEN)
    assert secret["name"] in whole.environ.keys() - spec.environ.keys()
    assert whole.settings(tmp_path).admin_token == ADMIN_TOKEN


def test_fargate_has_such_sizes(task: Any, container: Any) -> None:
    """CPU, memory and disk are sizes that Fargate sells; the container's own limits are set.

    Without them the service would count the memory and CPUs of the machine below.
    """
    assert task["cpu"] == "2048"
    assert int(task["memory"]) in FARGATE_MEMORY_OF_2_CPU
    assert task["ephemeralStorage"]["sizeInGiB"] in FARGATE_DISK_GIB
    assert (str(container["cpu"]), str(container["memory"])) == (task["cpu"], task["memory"])
    workers = {one["name"]: one["value"] for one in container["environment"]}["OFFLOADER_WORKERS"]
    assert int(workers) * 1024 == container["cpu"]


def test_only_the_api_is_published(service: Any, container: Any) -> None:
    """The load balancer leads to the API port of the one container, and no task is public."""
    ports = {mapping["name"]: mapping["containerPort"] for mapping in container["portMappings"]}
    assert ports == {"api": API_PORT, "admin": ADMIN_PORT}
    targets = [(one["containerName"], one["containerPort"]) for one in service["loadBalancers"]]
    assert targets == [(container["name"], API_PORT)]
    assert service["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"] == "DISABLED"


def test_a_rollout_is_graceful(service: Any, task: Any, container: Any) -> None:
    """New tasks come up first, a roll-out that fails goes back, a stop has time to drain."""
    deployment = service["deploymentConfiguration"]
    assert (deployment["minimumHealthyPercent"], deployment["maximumPercent"]) == (100, 200)
    assert deployment["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    assert LEAST_GRACE_SECONDS <= container["stopTimeout"] <= FARGATE_STOP_SECONDS
    assert service["taskDefinition"] == task["family"]


def test_the_service_runs_like_that(
    engine: Engine, image: str, spec: ContainerSpec, container: Any, tmp_path: Path
) -> None:
    """In an engine with the task's options it serves, and the health check sees its port."""
    project = usage_project(tmp_path / "project", rows=60)
    here = spec.with_environ(
        config="/project",
        segment_store="",
        s3_region="",
        admin_token=ADMIN_TOKEN,
        drain_seconds="0",
    )
    kind, *words = container["healthCheck"]["command"]
    assert kind == "CMD"
    elsewhere = [word.replace(str(ADMIN_PORT), "4999") for word in words]
    with run_as_said(engine, image, here, project.root, tmp_path) as running:
        check_routes(running, ["/healthz"], ["/ready", "/live"])
        assert engine.tried("exec", running.name, *words).returncode == 0
        assert engine.tried("exec", running.name, *elsewhere).returncode == 1
        assert running.stop() == 0


def _check_call(operation: str, parameters: Mapping[str, Any]) -> None:
    """Fail unless the service model of this botocore takes the parameters of a call."""
    model = botocore.session.get_session().get_service_model("ecs")
    shape = model.operation_model(operation).input_shape
    validate_parameters(parameters, shape)
    assert list(_unknown_choices(parameters, shape)) == []


def _unknown_choices(value: Any, shape: Any) -> Iterator[str]:
    """Yield texts that are none of their field's choices, which botocore leaves to AWS."""
    if shape.type_name == "structure":
        for name, inside in value.items():
            yield from _unknown_choices(inside, shape.members[name])
    elif shape.type_name == "list":
        for inside in value:
            yield from _unknown_choices(inside, shape.member)
    elif shape.type_name == "string" and shape.enum and value not in shape.enum:
        yield f"{shape.name}: {value}"
