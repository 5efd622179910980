"""What somebody might change in an example, and the rule that it breaks."""

from __future__ import annotations

from dataclasses import dataclass

from offloader import __version__


@dataclass(frozen=True, slots=True)
class Fault:
    """One line of a file below infra, what is put in its place, and the rule that breaks.

    `example` is what is read, where that is another than the file.
    """

    file: str
    line: str
    wrong: str
    rule: str
    example: str = ""

    @property
    def place(self) -> str:
        """The example that is read."""
        return self.example or self.file


_COMPOSE, _RUN = "compose/compose.yml", "docker-run/run.sh"
_POD, _SERVICES = "kubernetes/base/deployment.yml", "kubernetes/base/services.yml"
_OVERLAY = "kubernetes/overlays/volume"
_NOMAD, _ECS, _UNIT = (
    "nomad/offloader.nomad.hcl",
    "ecs/task-definition.json",
    "systemd/offloader.service",
)
_IMAGE = "the image is of this version"
_ROOT = "the root is read-only"
_CAPABILITIES = "every capability is dropped"
_PRIVILEGES = "no new privileges"
_USER = "a uid that is not root"
_ADMIN = "the admin port is private"
_TOKEN = "the admin token is apart"
_STATE = "the state folder is all that can be written"
_STOP = "the stop waits for the drain"
_HEALTH = "there is a health check"
_AGAIN = "it is started again"

FAULTS = (
    Fault(_COMPOSE, __version__, "9.9.9", _IMAGE),
    Fault(_COMPOSE, "read_only: true", "read_only: false", _ROOT),
    Fault(_COMPOSE, "cap_drop: [ALL]", "cap_drop: [NET_RAW]", _CAPABILITIES),
    Fault(_COMPOSE, "cap_drop: [ALL]", "cap_drop: [ALL]\n    cap_add: [CHOWN]", _CAPABILITIES),
    Fault(_COMPOSE, "no-new-privileges:true", "no-new-privileges:false", _PRIVILEGES),
    Fault(_COMPOSE, '"10001:0"', '"0:0"', _USER),
    Fault(_COMPOSE, '"127.0.0.1:4001:4001"', '"4001:4001"', _ADMIN),
    Fault(_COMPOSE, "ADMIN_TOKEN_FILE:", "ADMIN_TOKEN:", _TOKEN),
    Fault(_COMPOSE, "project:ro", "project", _STATE),
    Fault(_COMPOSE, "cache:/var/lib/offloader", "cache:/var/lib/else", _STATE),
    Fault(_COMPOSE, "stop_grace_period: 40s", "stop_grace_period: 30s", _STOP),
    Fault(_COMPOSE, "/ready", "/", _HEALTH),
    Fault(_COMPOSE, "restart: unless-stopped", "restart: on-failure", _AGAIN),
    Fault(_RUN, __version__, "9.9.9", _IMAGE),
    Fault(_RUN, "\t--read-only \\\n", "", _ROOT),
    Fault(_RUN, "--cap-drop ALL", "--cap-drop NET_RAW", _CAPABILITIES),
    Fault(_RUN, "no-new-privileges", "seccomp=unconfined", _PRIVILEGES),
    Fault(_RUN, "--user 10001:0", "--user 0:0", _USER),
    Fault(_RUN, "=127.0.0.1:4001", "=0.0.0.0:4001", _ADMIN),
    Fault(_RUN, "target=/project,readonly", "target=/project", _STATE),
    Fault(_RUN, "--stop-timeout 40", "--stop-timeout 10", _STOP),
    Fault(_RUN, "--read-only", "--read-only --no-healthcheck", _HEALTH),
    Fault(_POD, "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", _ROOT, _OVERLAY),
    Fault(_POD, "drop: [ALL]", "drop: [CHOWN]", _CAPABILITIES, _OVERLAY),
    Fault(_POD, "Escalation: false", "Escalation: true", _PRIVILEGES, _OVERLAY),
    Fault(_POD, "runAsUser: 10001", "runAsUser: 0", _USER, _OVERLAY),
    Fault(_SERVICES, "clusterIP: None", "type: LoadBalancer", _ADMIN, _OVERLAY),
    Fault(_POD, "GracePeriodSeconds: 60", "GracePeriodSeconds: 40", _STOP, _OVERLAY),
    Fault(_POD, "livenessProbe:", "otherProbe:", _HEALTH, _OVERLAY),
    Fault(_NOMAD, "readonly_rootfs = true", "readonly_rootfs = false", _ROOT),
    Fault(_NOMAD, '["all"]', '["net_raw"]', _CAPABILITIES),
    Fault(_NOMAD, '["no-new-privileges"]', '["apparmor=unconfined"]', _PRIVILEGES),
    Fault(_NOMAD, '"10001:0"', '"root"', _USER),
    Fault(_NOMAD, 'host_network = "private"', 'host_network = "default"', _ADMIN),
    Fault(_NOMAD, 'kill_timeout = "40s"', 'kill_timeout = "5s"', _STOP),
    Fault(_ECS, '"readonlyRootFilesystem": true', '"readonlyRootFilesystem": false', _ROOT),
    Fault(_ECS, '{"drop": ["ALL"]}', '{"drop": ["ALL"], "add": ["SYS_PTRACE"]}', _CAPABILITIES),
    Fault(_ECS, '"user": "10001:0"', '"user": "0"', _USER),
    Fault(_ECS, '"name": "OFFLOADER_ADMIN_TOKEN"', '"name": "OTHER"', _TOKEN),
    Fault(_ECS, '"stopTimeout": 40', '"stopTimeout": 30', _STOP),
    Fault(_UNIT, "ProtectSystem=strict", "ProtectSystem=full", _ROOT),
    Fault(_UNIT, "CapabilityBoundingSet=\n", "CapabilityBoundingSet=CAP_CHOWN\n", _CAPABILITIES),
    Fault(_UNIT, "NoNewPrivileges=yes", "NoNewPrivileges=no", _PRIVILEGES),
    Fault(_UNIT, "ADMIN_HOST=127.0.0.1", "ADMIN_HOST=0.0.0.0", _ADMIN),
    Fault(_UNIT, "TimeoutStopSec=40", "TimeoutStopSec=20", _STOP),
)
