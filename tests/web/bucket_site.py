"""The usage project in a bucket of an emulator, and a service that has nothing but its URL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from dev.emulators import GcsEmulator, S3Emulator, gcs_emulator, s3_emulator
from tests.http_replies import Reply
from tests.projects import UsageProject, publish
from tests.service_process import ADMIN_TOKEN, Running, running
from tests.web.served import tenant_project

BUCKET = "bucket"
PREFIX = "of/project"
FAMILIES = ("gs", "s3")


@dataclass(frozen=True, slots=True)
class BucketSite:
    """A project in a folder and the same one in a bucket; `environ` is how to reach the bucket."""

    emulator: GcsEmulator | S3Emulator
    project: UsageProject
    config: str
    environ: Mapping[str, str]

    def publish(self, table: pa.Table, snapshot_id: str, *, files: int = 1) -> None:
        """Publish to the folder, then to the bucket: data files first, the manifest last."""
        publish(self.project, table, snapshot_id, files=files)
        data = self.project.manifest_path.parent
        self.emulator.put_folder(BUCKET, f"{PREFIX}/data/{snapshot_id}", data / snapshot_id)
        self.put("data/manifest.json")

    def put(self, name: str) -> None:
        """Upload one file of the project."""
        self.emulator.put(BUCKET, f"{PREFIX}/{name}", self.project.root / name)

    @contextmanager
    def served(self, cache: Path, *, until: str = "ready", **environ: str) -> Iterator[Running]:
        """Serve the bucket's project; the folder is not known to the service."""
        settings = {**self.environ, "config": self.config, **environ}
        with running(Path(self.config), cache, until=until, **settings) as service:
            yield service


@contextmanager
def bucket_site(family: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BucketSite]:
    """Run an emulator with the project in a bucket until the block ends."""
    project = tenant_project(folder / "project")
    with (gcs_emulator if family == "gs" else s3_emulator)() as emulator:
        emulator.make_bucket(BUCKET)
        emulator.put_folder(BUCKET, PREFIX, project.root)
        environ = reached_at(emulator, emulator.url, monkeypatch)
        yield BucketSite(emulator, project, f"{family}://{BUCKET}/{PREFIX}", environ)


def reached_at(
    emulator: GcsEmulator | S3Emulator, url: str, monkeypatch: pytest.MonkeyPatch
) -> Mapping[str, str]:
    """Return the settings of a service that reaches an emulator, perhaps through a proxy."""
    if isinstance(emulator, GcsEmulator):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
        return {}
    prefix = "OFFLOADER_"
    environ = {name.removeprefix(prefix).lower(): text for name, text in emulator.environ.items()}
    return {**environ, "s3_endpoint": url}


def act(service: Running, action: str) -> Reply:
    """Ask for an action on the dataset."""
    key = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": "application/json"}
    return service.ask_admin(f"/datasets/usage/{action}", key, "POST")
