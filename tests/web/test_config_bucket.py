"""A project in a bucket: fetched at the start, followed while it runs, never worse than before."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from tests.service_process import (
    OFFLOADER,
    Running,
    environment,
    marked,
    refused,
    wait_until,
)
from tests.web.bucket_site import BUCKET, PREFIX, BucketSite, bucket_site
from tests.web.metric_values import value
from tests.web.served import PLAIN
from tests.web.test_config_reload import change, config, revoke

MARK = "TESTED_SERVICE"  # what `marked` looks for
SYNC = {"config_sync_interval": "1", "refresh_interval": "1000"}
SECONDS = 60.0


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BucketSite]:
    with bucket_site("gs", tmp_path, monkeypatch) as made:
        yield made


def sync_ok(service: Running) -> bool:
    """Tell what the metric says."""
    return value(service, "offloader_config_sync_ok") == 1


def codes(service: Running) -> list[str]:
    """Return the codes of what is wrong with the newest config."""
    return [problem["code"] for problem in config(service)["problems"]]


def error(service: Running) -> Mapping[str, Any]:
    """Return why the bucket cannot be looked at."""
    return dict(config(service)["error"] or {})


def remove_bucket(site: BucketSite) -> dict[str, bytes]:
    """Remove the bucket; return what was in it."""
    held = {key: site.emulator.get(BUCKET, key) for key in site.emulator.keys(BUCKET)}
    for key in held:
        site.emulator.delete(BUCKET, key)
    site.emulator.client.bucket(BUCKET).delete()
    return held


def bring_back(site: BucketSite, held: Mapping[str, bytes]) -> None:
    """Make the bucket anew."""
    site.emulator.make_bucket(BUCKET)
    for key, content in held.items():
        site.emulator.put(BUCKET, key, content)


def test_a_changed_config_is_followed_and_a_broken_one_is_not(
    site: BucketSite, tmp_path: Path
) -> None:
    """A lower limit and a revoked key count on their own; nonsense is told and stays out."""
    key, other = (site.project.authorization(f"tenant_{number}") for number in (0, 1))
    root = site.project.root
    with site.served(tmp_path / "cache", **SYNC) as service:
        assert config(service)["location"] == site.config
        assert value(service, "offloader_config_sync_enabled") == 1
        assert service.ask(PLAIN, key).status == 200
        paging = {"default_limit": 2, "max_limit": 2}
        change(root / "endpoints" / "usage_rows.yml", pagination=paging)
        revoke(site.project, "tenant_0")
        site.put("endpoints/usage_rows.yml")
        site.put("keys/keys.yml")
        service.wait(lambda: service.ask(PLAIN, key).status == 401, SECONDS)
        service.wait(lambda: len(service.ask(PLAIN, other).document["data"]) == 2, SECONDS)
        before = service.ask(PLAIN, other)

        site.emulator.put(BUCKET, f"{PREFIX}/offloader.yml", b"version: 2\nkeys: keys/keys.yml\n")
        service.wait(lambda: not sync_ok(service), SECONDS)
        assert codes(service) == ["version_unsupported"]
        assert config(service)["failing_since"] is not None
        (line,) = service.events("config_refused")
        assert "[version_unsupported]" in line["problems"][0]
        assert service.ask(PLAIN, other).body == before.body
        assert service.ask_admin("/ready").status == 200
        site.put("offloader.yml")
        service.wait(lambda: sync_ok(service), SECONDS)
        assert config(service)["failing_since"] is None


def test_a_replica_starts_on_the_last_good_config(site: BucketSite, tmp_path: Path) -> None:
    """Somebody pushed nonsense: it serves what was in effect, says so, and takes the repair."""
    key, revoked = (site.project.authorization(f"tenant_{number}") for number in (1, 0))
    cache = tmp_path / "cache"
    revoke(site.project, "tenant_0")
    site.put("keys/keys.yml")
    with site.served(cache, workers="1") as service:
        before, fetched_at = service.ask(PLAIN, key), config(service)["fetched_at"]
    site.emulator.put(BUCKET, f"{PREFIX}/keys/keys.yml", b"keys: [{}]\n")
    with site.served(cache, workers="1") as service:  # and nobody looks again by itself
        assert service.ask(PLAIN, key).body == before.body
        assert service.ask(PLAIN, revoked).status == 401
        assert "missing_key" in codes(service)
        assert not sync_ok(service)
        assert config(service)["fetched_at"] == fetched_at
        assert service.events("config_fallback")[0]["code"] == "config_invalid"
        site.put("keys/keys.yml")
        service.process.send_signal(signal.SIGHUP)
        service.wait(lambda: sync_ok(service), SECONDS)


def test_a_bucket_that_goes_while_it_runs_comes_back(site: BucketSite, tmp_path: Path) -> None:
    """It is told once, in log, metric and diagnostics; nothing that is served changes."""
    key = site.project.authorization("tenant_0")
    with site.served(tmp_path / "cache", **SYNC) as service:
        before = service.ask(PLAIN, key)
        service.wait(lambda: config(service)["checked_at"])  # the first look reads every file
        held = remove_bucket(site)
        service.wait(lambda: not sync_ok(service), SECONDS)
        since = config(service)["failing_since"]
        checked_at = config(service)["checked_at"]
        service.wait(lambda: config(service)["checked_at"] > checked_at, SECONDS)
        assert (config(service)["failing_since"], error(service)["code"]) == (
            since,
            "bucket_missing",
        )
        told = [line["code"] for line in service.events("config_unreachable")]
        assert told.count("bucket_missing") == 1  # one that looks meanwhile may miss a file first
        assert service.ask(PLAIN, key).body == before.body
        assert service.ask_admin("/ready").status == 200
        bring_back(site, held)
        service.wait(lambda: sync_ok(service), SECONDS)


def test_a_start_with_nothing_to_fall_back_on_says_why(site: BucketSite, tmp_path: Path) -> None:
    """Every problem of the project, or what is wrong with the bucket; exit 2."""
    config_path = Path(site.config)
    settings = {**site.environ, "config": site.config}
    site.emulator.put(BUCKET, f"{PREFIX}/datasets/usage.yml", b"id: Usage!\nnonsense: 1\n")
    code, lines = refused(config_path, tmp_path / "cache", **settings)
    text = "\n".join(lines)
    assert code == 2
    for part in ("datasets/usage.yml: id: [bad_identifier]", "[unknown_key]", "not started: "):
        assert part in text
    remove_bucket(site)
    code, lines = refused(config_path, tmp_path / "cache", **settings)
    assert code == 2
    assert lines[0].startswith("environment: OFFLOADER_CONFIG: [bucket_missing] ")
    assert lines[1].startswith("    hint: ")


def test_a_hostile_bucket_is_refused(site: BucketSite, tmp_path: Path) -> None:
    """Names that lead out, and more than is read: told before, and nothing is written outside."""
    for name in ("datasets/..\\..\\x.yml", "endpoints/a\x01.yml", "//x.yml"):
        site.emulator.put(BUCKET, f"{PREFIX}/{name}", b"")
    site.emulator.put(BUCKET, f"{PREFIX}/datasets/large.yml", bytes(2 << 20))
    settings = {**site.environ, "config": site.config}
    code, lines = refused(Path(site.config), tmp_path / "cache", **settings)
    assert code == 2
    assert [line.count("[object_name_invalid]") for line in lines].count(1) == 3
    assert any("datasets/large.yml: [file_too_large]" in line for line in lines)
    assert list((tmp_path / "cache").glob("config/**/*.yml")) == []


def test_a_signal_ends_a_start_that_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store takes connections and says nothing; SIGTERM is heard, and nothing is left."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(SECONDS)
        host, port = silent.getsockname()
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://{host}:{port}")
        monkeypatch.setenv(MARK, mark := token_hex(8))
        process = subprocess.Popen(
            [OFFLOADER, "serve"],
            env=environment(Path("gs:"), tmp_path / "cache", {"config": f"gs://{BUCKET}"}),
            stderr=subprocess.DEVNULL,
        )
        try:
            silent.accept()[0].close()
            assert len(marked(mark)) >= 2
            process.terminate()
            assert process.wait(SECONDS) == 0
            wait_until(lambda: not marked(mark), SECONDS, lambda: marked(mark))
        finally:
            process.kill()
            process.wait()


def test_without_an_interval_only_sighup_looks(site: BucketSite, tmp_path: Path) -> None:
    """As for a folder."""
    key = site.project.authorization("tenant_0")
    with site.served(tmp_path / "cache") as service:
        revoke(site.project, "tenant_0")
        site.put("keys/keys.yml")
        assert value(service, "offloader_config_sync_enabled") == 0
        assert service.ask(PLAIN, key).status == 200
        service.process.send_signal(signal.SIGHUP)
        service.wait(lambda: service.ask(PLAIN, key).status == 401, SECONDS)
