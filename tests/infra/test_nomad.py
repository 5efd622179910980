"""The job for Nomad: what it says of the container, and that the service runs like that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hcl2
import pytest
from hcl2 import SerializationOptions

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

JOB = ROOT / "infra" / "nomad" / "offloader.nomad.hcl"
# Where Nomad's docker driver mounts NOMAD_SECRETS_DIR.
_SECRETS = "/secrets"
_PLAIN = SerializationOptions(
    with_comments=False, explicit_blocks=False, strip_string_quotes=True, preserve_heredocs=False
)


@pytest.fixture(scope="module")
def group() -> Any:
    document: Any = hcl2.loads(JOB.read_text(encoding="utf-8"), serialization_options=_PLAIN)
    return _one(_one(document["job"])["group"])


@pytest.fixture(scope="module")
def task(group: Any) -> Any:
    return _one(group["task"])


@pytest.fixture(scope="module")
def spec(task: Any) -> ContainerSpec:
    config = _one(task["config"])
    environ = {name: _placed(text) for name, text in _one(task["env"]).items()}
    (state,) = [one for one in task["volume_mount"] if one["volume"] == "state"]
    return ContainerSpec(
        image=config["image"],
        user=task["user"],
        is_read_only=config["readonly_rootfs"],
        dropped=tuple(config["cap_drop"]),
        security=tuple(config["security_opt"]),
        environ=environ,
        state_mount=state["destination"],
        memory_mib=_one(task["resources"])["memory"],
        secrets={_placed(one["destination"]): ADMIN_TOKEN for one in task["template"]},
    )


def test_the_container_is_hardened(spec: ContainerSpec, task: Any) -> None:
    """It runs the version of this tree, read-only, without capabilities, as 10001, state kept."""
    spec.check()
    assert spec.security == ("no-new-privileges",)
    assert task["driver"] == "docker"
    assert "privileged" not in _one(task["config"])


def test_the_environment_is_right(spec: ContainerSpec, tmp_path: Path) -> None:
    """Every variable exists and has a value that is taken; the token comes from a file."""
    assert spec.settings(tmp_path).admin_token == ADMIN_TOKEN
    assert "OFFLOADER_ADMIN_TOKEN" not in spec.environ


def test_the_secret_is_the_services_alone(task: Any) -> None:
    """The template writes the token where the variable looks, for the service's user only."""
    template = _one(task["template"])
    assert template["destination"] == _one(task["env"])["OFFLOADER_ADMIN_TOKEN_FILE"]
    assert (template["perms"], template["uid"], template["gid"]) == ("0400", 10001, 0)
    assert template["error_on_missing_key"]


def test_ports_lead_to_the_service(group: Any, task: Any) -> None:
    """Both ports lead to the service's defaults, and the admin port lies in a private network."""
    ports = {name: port for one in _one(group["network"])["port"] for name, port in one.items()}
    assert {name: port["to"] for name, port in ports.items()} == {
        "api": API_PORT,
        "admin": ADMIN_PORT,
    }
    assert ports["admin"]["host_network"] == "private"
    assert _one(task["config"])["ports"] == ["api", "admin"]


def test_checks_ask_the_right_port(group: Any) -> None:
    """The API is listed while it serves; the admin port is asked for ready and live."""
    assert _checks(group) == {"api": ["/healthz"], "admin": ["/ready", "/live"]}
    assert {service["provider"] for service in group["service"]} == {"nomad"}


def test_only_a_dead_instance_is_restarted(group: Any) -> None:
    """`/live` restarts, `/ready` never: an instance that still builds is not ready."""
    checks = [check for service in group["service"] for check in service["check"]]
    assert [check["path"] for check in checks if "check_restart" in check] == ["/live"]


def test_a_rollout_waits_for_checks(group: Any) -> None:
    """A canary comes up first; what is not ready in time is reverted."""
    document: Any = hcl2.loads(JOB.read_text(encoding="utf-8"), serialization_options=_PLAIN)
    update = _one(_one(document["job"])["update"])
    assert (update["canary"], update["max_parallel"], update["health_check"]) == (1, 1, "checks")
    assert update["auto_revert"]
    assert update["auto_promote"]
    assert _seconds(update["progress_deadline"]) > _seconds(update["healthy_deadline"])
    assert group["count"] == 2


def test_a_stop_has_time_to_drain(task: Any) -> None:
    """Nomad waits longer than the service may take, and sends what it drains on."""
    assert _seconds(task["kill_timeout"]) >= LEAST_GRACE_SECONDS
    assert task["kill_signal"] == "SIGTERM"


def test_volumes_are_declared(group: Any, task: Any) -> None:
    """Each mount names a volume of the group, and the project cannot be written."""
    volumes = {name: volume for one in _listed(group["volume"]) for name, volume in one.items()}
    mounts = {one["volume"]: one for one in task["volume_mount"]}
    assert volumes.keys() == mounts.keys() == {"project", "state"}
    assert volumes["project"]["read_only"]
    assert mounts["project"]["destination"] == _one(task["env"])["OFFLOADER_CONFIG"]


def test_the_service_runs_like_that(
    engine: Engine, image: str, group: Any, spec: ContainerSpec, tmp_path: Path
) -> None:
    """In an engine with the job's own options every check of the job answers 200."""
    project = usage_project(tmp_path / "project", rows=60)
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    here = spec.with_environ(drain_seconds="0")
    with run_as_said(engine, image, here, project.root, secrets) as container:
        checks = _checks(group)
        check_routes(container, checks["api"], checks["admin"])
        assert container.stop() == 0


def _checks(group: Any) -> dict[str, list[str]]:
    return {
        service["port"]: [check["path"] for check in service["check"]]
        for service in group["service"]
    }


def _listed(blocks: Any) -> list[Any]:
    return blocks if isinstance(blocks, list) else [blocks]


def _one(blocks: Any) -> Any:
    """Return the only block of its kind; of a labelled one what stands inside."""
    (block,) = _listed(blocks)
    inside = list(block.values())
    is_labelled = len(inside) == 1 and isinstance(inside[0], dict)
    return inside[0] if is_labelled else block


def _placed(text: str) -> str:
    return text.replace("${NOMAD_SECRETS_DIR}", _SECRETS)


def _seconds(duration: str) -> int:
    return int(duration[:-1]) * {"s": 1, "m": 60}[duration[-1]]
