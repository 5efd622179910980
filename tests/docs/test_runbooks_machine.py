"""The runbooks about start, volume, memory and image, each followed on a service of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from tests.docs.runbook import Incident, incident
from tests.projects import UsageProject, publish, usage_project, usage_table
from tests.service_process import Log, Running, refused, running
from tests.web.test_recovery import flip, parts

SMALL, LARGE = 300, 20_000
LATER, LATEST = "2026-06-02T00:00:00Z", "2026-06-03T00:00:00Z"
NO_NAMESPACE = "this machine lets nobody mount: a full disk cannot be made"
AS_HOLDER = ("--preserve-credentials", "--user", "--mount")
_MOUNT = 'mount -t tmpfs -o size=80m none "$1" && echo mounted && exec cat'


@pytest.fixture
def project(tmp_path: Path) -> UsageProject:
    return usage_project(tmp_path / "project", rows=SMALL)


def test_does_not_start(project: UsageProject, tmp_path: Path) -> None:
    """A project with a mistake ends with 2 and is named; one without data lives and says why."""
    endpoint = project.root / "endpoints" / "usage_rows.yml"
    right, manifest = endpoint.read_text(), project.manifest_path
    environ = {"DATASET": "usage", "OFFLOADER_CONFIG": str(project.root)}
    with incident("Does not start", tmp_path, environ) as here:
        endpoint.write_text(right.replace("dataset: usage", "dataset: usages"))
        code, lines = refused(project.root, tmp_path / "cache")
        log = Log(lines=[{"text": line} for line in lines], is_whole=True)
        ended = Running(subprocess.Popen(["true"]), "", log)
        ended.process.wait()
        here.service = ended
        here.see(exit_code=code)
        here.service = None
        assert "[unknown_dataset]" in here.do("offloader validate", code=2)
        endpoint.write_text(right)
        manifest.rename(manifest.with_suffix(".late"))
        with running(project.root, tmp_path / "cache", until="live", workers="1") as service:
            here.service = service
            here.see()
            assert "[manifest_missing]" in here.do("offloader snapshot status")
            manifest.with_suffix(".late").rename(manifest)
            told = here.do("offloader snapshot refresh")  # a look by itself may have been sooner
            assert "s0001 is served" in told or "is served already" in told
            service.wait(service.is_ready)


def test_memory_cache_and_quarantine(project: UsageProject, tmp_path: Path) -> None:
    """Three incidents of one volume: too little memory, then a bad disk, then a bad snapshot."""
    cache = tmp_path / "cache"
    known = {"DATASET": "usage", "SNAPSHOT": "s0002", "OFFLOADER_CACHE_DIR": str(cache)}
    large = pa.concat_tables([usage_table(1000)] * (LARGE // 1000))
    publish(project, large, "s0001")
    with (
        incident("Memory full", tmp_path, known) as memory,
        incident("Cache corrupted", tmp_path, known) as disk,
        incident("Cache quarantine and rebuild", tmp_path, known) as bad,
    ):
        with running(project.root, cache, workers="1", memory_limit="1MiB") as service:
            memory.service = service
            memory_is_full(memory)
        flip(parts(cache)[0])
        with running(project.root, cache, workers="1") as service:
            memory.service = disk.service = bad.service = service
            assert memory.do("offloader snapshot status") == '"memory": "shared"\n'
            disk_damages(disk, cache)
            publish(project, usage_table(SMALL, factor=2), "s0002", watermark=LATER)
            service.wait(lambda: served_id(service) == "s0002")
            snapshot_is_bad(bad)
        put_away_by_hand(disk, bad)
        with running(project.root, cache, until="live", workers="1") as service:
            bad.service = service
            service.wait(lambda: marks(service) == ["s0002", "s0001"])
            assert served_id(service) is None
            told = bad.do("offloader snapshot pin")  # in other words if a look was sooner
            assert told.startswith("done: ")
            assert "(nothing -> s0002" in told
            service.wait(service.is_ready)
            assert marks(service) == ["s0001"]


def memory_is_full(here: Incident) -> None:
    """A snapshot above the limit is served from the page cache, and the commands say so."""
    here.see()
    assert "offloader_shared_memory_limit_bytes 1.048576e+06" in here.do("curl")
    assert '"served_from_page_cache"' in here.do("grep")


def disk_damages(here: Incident, cache: Path) -> None:
    """One part was damaged before the start, another is now: both are found and mended."""
    here.see()
    assert " active " in here.do("offloader snapshot status")
    flip(parts(cache)[-1])
    assert "\ndamaged: segments/usage/" in here.do("offloader cache status", code=1)
    assert here.do("offloader snapshot rebuild").startswith("done: s0001 ")
    assert here.run("offloader cache status --verify").code == 0


def snapshot_is_bad(here: Incident) -> None:
    """The one before takes its place, and is built anew."""
    assert "(s0002 -> s0001" in here.do("offloader snapshot quarantine")
    here.see()
    assert here.do("offloader snapshot rebuild").startswith("done: s0001 ")
    assert "[cache_in_use]" in here.run("offloader cache clear --yes").output


def put_away_by_hand(disk: Incident, bad: Incident) -> None:
    """The service is stopped: parts are put away, then a snapshot, then all that was built."""
    assert disk.do("offloader cache quarantine").endswith("; the next start builds them again\n")
    assert "quarantined snapshot s0002 since " in bad.do("offloader cache status")
    assert bad.do("offloader cache quarantine").startswith("usage: s0001 is not served again ")
    assert " files removed, " in bad.do("offloader cache clear")


def test_disk_full(project: UsageProject, tmp_path: Path) -> None:
    """Nothing new comes in, what is served goes on, and room on the volume ends it."""
    volume = tmp_path / "volume"
    environ = {"DATASET": "usage", "OFFLOADER_CACHE_DIR": str(volume)}
    with small_volume(volume) as holder:
        cache = Path(f"/proc/{holder}/root{volume}")
        with (
            running(project.root, cache, workers="1") as service,
            incident("Disk full", tmp_path, environ, service) as here,
        ):
            here.shell = ("nsenter", *AS_HOLDER, "--target", str(holder), "bash")
            publish(project, usage_table(SMALL, factor=2), "s0002", watermark=LATER)
            service.wait(lambda: served_id(service) == "s0002")
            fill(cache / "others")
            publish(project, usage_table(SMALL, factor=3), "s0003", watermark=LATEST)
            here.see()
            assert "100%" in here.do("df")
            assert here.do("offloader cache status").startswith(f"{volume}: ")
            assert "/others\n" in here.do("du")
            assert "done: s0001" in here.run("offloader snapshot rollback usage").output
            away = here.run("offloader snapshot quarantine usage s0002 --reason wrong").output
            assert "failed: [quarantine_not_written]" in away
            (cache / "others").unlink()
            assert re.match("done: s0003 |unchanged: .* served already", here.do("offloader"))
            assert served_id(service) == "s0003"


@contextmanager
def small_volume(folder: Path) -> Iterator[int]:
    """Mount 80 MiB of memory over a folder, for one process alone; yield its pid."""
    folder.mkdir()
    if not shutil.which("unshare") or not shutil.which("nsenter"):
        pytest.skip(NO_NAMESPACE)
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", _MOUNT, "sh", str(folder)]
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nowhere, text=True) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        if holder.stdout.readline() != "mounted\n":
            pytest.skip(NO_NAMESPACE)
        yield holder.pid
        holder.stdin.close()


def fill(path: Path) -> None:
    """Write a file until the volume is full."""
    piece = b"\0" * (1 << 20)
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(piece):
                pass
        except OSError:
            return


def served_id(service: Running) -> object:
    """Return the id of the snapshot that is served, None for none."""
    return service.diagnostics()["datasets"]["usage"]["snapshot_id"]


def marks(service: Running) -> list[str]:
    """Return the ids of the quarantined snapshots, oldest first."""
    marked = service.diagnostics()["datasets"]["usage"]["quarantined_snapshots"]
    return [one["snapshot_id"] for one in marked]
