"""The real service with the environment, volumes, ports and probes of a rendered pod."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from dev.emulators import GcsEmulator, gcs_emulator
from dev.examples.stateless.publisher import Publisher
from tests.infra.kubernetes_pod import (
    DEFAULTS,
    Pod,
    environ_of,
    mapped,
    pod_of,
    probe,
    write_volumes,
)
from tests.infra.kubernetes_render import FOLDER, SECRET, rendered
from tests.projects import token_hash
from tests.service_process import ADMIN_TOKEN, Running, refused, running

BUCKET = "example-bucket"
KEY = "test-key-analytics"
AUTHORIZED = {"Authorization": f"Bearer {KEY}"}
TARGET = "/v1/endpoints/orders_by_shop?shop=berlin"
Seen = tuple[int, int, int, str]
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
# What the README counts with, and a quarter more: they differ a little from machine to machine.
OWN_BYTES, WORKER_BYTES = 130_000_000, 58_000_000
# What `running` sets unless told otherwise, and the pods leave to the service's defaults.
LEFT_OUT = {"admin_token": "", "refresh_interval": "", "log_format": ""}


@dataclass(frozen=True, slots=True)
class Started:
    """A pod's service under way, and the folder its volumes lie in."""

    service: Running
    pod: Pod
    folder: Path

    def probed(self) -> dict[str, int]:
        """Return the status of every probe."""
        return {kind: probe(self.service, self.pod, kind) for kind in PROBES}


def secrets(status: str = "active") -> dict[tuple[str, str], dict[str, str]]:
    """Return the example's Secret with a real token, and a key's real hash."""
    keys = yaml.safe_load(SECRET["stringData"]["keys.yml"])
    keys["keys"][0] |= {"hash": token_hash(KEY), "status": status}
    held = {"admin-token": f"{ADMIN_TOKEN}\n", "keys.yml": yaml.safe_dump(keys)}
    return {("Secret", SECRET["metadata"]["name"]): held}


@contextmanager
def started(overlay: str, folder: Path) -> Iterator[Started]:
    """Run the pod of an overlay until the block ends; wait first until it is live."""
    made = rendered(FOLDER / overlay)
    pod = pod_of(made)
    write_volumes(made, secrets(), folder)
    cache = str(DEFAULTS["OFFLOADER_CACHE_DIR"])
    environ = mapped(pod, {"OFFLOADER_CACHE_DIR": cache, **environ_of(made)}, folder)
    given = {name.removeprefix("OFFLOADER_").lower(): text for name, text in environ.items()}
    with running(folder, folder, until="live", **{**LEFT_OUT, **given}) as service:
        yield Started(service, pod, folder)


def publisher(emulator: GcsEmulator) -> Publisher:
    """Return who publishes the example's dataset, where its `manifest` says."""
    return Publisher(lambda key, content: emulator.put(BUCKET, _key(key), content), 1000)


def _key(key: str) -> str:
    return key.replace("project/data/", "orders/")


@pytest.fixture(scope="module")
def emulator() -> Iterator[GcsEmulator]:
    with gcs_emulator() as made, pytest.MonkeyPatch.context() as environ:
        made.make_bucket(BUCKET)
        for name, text in made.environ.items():
            environ.setenv(name, text)
        yield made


@pytest.fixture(scope="module")
def volume(emulator: GcsEmulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """The pod with a volume, at first without any snapshot to serve."""
    with started("overlays/volume", tmp_path_factory.mktemp("pod")) as made:
        yield made


def test_a_cold_pod_lives_and_is_not_ready(volume: Started) -> None:
    """While there is nothing to serve it is started and alive, and gets no requests."""
    assert volume.probed() == {"startupProbe": 200, "livenessProbe": 200, "readinessProbe": 503}


def test_a_pod_gets_ready_and_serves(volume: Started, emulator: GcsEmulator) -> None:
    """With a snapshot every probe succeeds; a key is served, and nobody else."""
    snapshot_id = publisher(emulator).publish()
    service = volume.service
    service.process.send_signal(signal.SIGHUP)
    service.wait(lambda: probe(service, volume.pod, "readinessProbe") == 200)
    assert volume.probed() == dict.fromkeys(PROBES, 200)
    reply = service.ask(TARGET, AUTHORIZED)
    assert (reply.status, reply.document["meta"]["snapshot_id"]) == (200, snapshot_id)
    assert service.ask(TARGET).status == 401


def test_settings_are_those_of_the_manifest(volume: Started) -> None:
    """Workers by the requested CPUs, the memory limit, config sync, no warning at the start."""
    found = volume.service.diagnostics()
    assert len(found["processes"]["workers"]) == 2
    assert found["memory"]["limit_bytes"] == 2**30
    processes = found["processes"]
    own = processes["main"]["private_bytes"] + processes["reloader"]["private_bytes"]
    assert own < OWN_BYTES
    assert all(one["private_bytes"] < WORKER_BYTES for one in processes["workers"])
    assert found["config_sync"]["enabled"] is True
    events = {line.get("event") for line in volume.service.lines if line["level"] != "info"}
    assert events <= {"refresh_failed", "source_unreachable"}  # there was no manifest at first


def test_a_changed_secret_takes_effect_without_a_restart(volume: Started) -> None:
    """The volume is swapped as the kubelet does it: the revoked key is refused."""
    service = volume.service
    assert service.ask(TARGET, AUTHORIZED).status == 200
    for status, expected in (("revoked", 401), ("active", 200)):
        write_volumes(rendered(FOLDER / "overlays/volume"), secrets(status), volume.folder)
        service.process.send_signal(signal.SIGHUP)
        service.wait(lambda code=expected: service.ask(TARGET, AUTHORIZED).status == code)  # type: ignore[misc]


def test_a_drain_serves_until_its_end(volume: Started) -> None:
    """After SIGTERM: 503 from /ready, 200 from /live, and answers for as long as it is to drain."""
    environ = environ_of(rendered(FOLDER / "overlays/volume"))
    drain = float(environ["OFFLOADER_DRAIN_SECONDS"])
    service, pause, seen = volume.service, threading.Event(), Counter[Seen]()
    began = time.monotonic()
    service.process.send_signal(signal.SIGTERM)
    service.wait(lambda: probe(service, volume.pod, "readinessProbe") == 503, drain)
    while time.monotonic() < began + drain:
        told = seen_in_drain(volume)
        if time.monotonic() < began + drain:  # else what was asked may have come after the end
            seen[told] += 1
        pause.wait(0.1)
    assert seen.keys() == {(503, 200, 200, "close")}
    assert service.process.wait(float(environ["OFFLOADER_SHUTDOWN_SECONDS"])) == 0
    assert time.monotonic() > began + drain


def seen_in_drain(volume: Started) -> Seen:
    """Return what /ready and /live say, and a caller's answer: its status and `Connection`."""
    ready = probe(volume.service, volume.pod, "readinessProbe")
    live = probe(volume.service, volume.pod, "livenessProbe")
    try:
        reply = volume.service.ask(TARGET, AUTHORIZED)
    except OSError:
        return ready, live, 0, ""
    return ready, live, reply.status, reply.headers["connection"]


def test_a_stateless_pod_starts_from_buckets(emulator: GcsEmulator, tmp_path: Path) -> None:
    """Project, snapshot and segments come from the bucket: the second pod builds nothing."""
    base = rendered(FOLDER / "base")
    write_volumes(base, secrets(), tmp_path / "uploaded")
    (project,) = (one for one in (tmp_path / "uploaded" / "etc").iterdir())
    emulator.put_folder(BUCKET, "project", (project / "..data").resolve())
    publisher(emulator).publish()
    for event in ("build_started", "segments_fetched"):
        with started("overlays/stateless-gcs", tmp_path / event) as pod:
            pod.service.wait(lambda p=pod: p.probed() == dict.fromkeys(PROBES, 200))  # type: ignore[misc]
            assert pod.service.ask(TARGET, AUTHORIZED).status == 200
            told = {str(line.get("event")) for line in pod.service.lines}
            assert told & {"build_started", "segments_fetched"} == {event}
            pod.service.wait(lambda p=pod: is_shared(p.service))  # type: ignore[misc]
            pod.service.end(signal.SIGINT)  # without a drain


def is_shared(service: Running) -> bool:
    """Tell whether all that is served lies in the segment store."""
    found = service.diagnostics()["segment_store"]
    there = sum(found["parts"][result] for result in ("uploaded", "present", "fetched"))
    return bool(found["uploads_waiting"] == 0 and there > 0)


def test_the_placeholder_starts_nothing(tmp_path: Path) -> None:
    """The example Secret as it stands is refused, so that nobody serves with a known token."""
    token = tmp_path / "admin-token"
    token.write_text(SECRET["stringData"]["admin-token"], encoding="utf-8")
    code, lines = refused(tmp_path, tmp_path, admin_token="", admin_token_file=str(token))
    assert code == 2
    assert any("OFFLOADER_ADMIN_TOKEN: [variable_invalid]" in line for line in lines), lines
