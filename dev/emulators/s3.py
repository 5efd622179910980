"""An emulator of S3: the server of moto, of the development dependencies, as a process."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import botocore.session
from botocore.config import Config

from dev.emulators.server import running
from offloader.stores.access import Access

_KEY_ID = "emulator-key"
_SECRET = "emulator-secret"
_REGION = "us-east-1"
_IN_MEMORY_BYTES = 1 << 40


@dataclass(frozen=True, slots=True)
class S3Emulator:
    """A running emulator; its objects are made and removed by the AWS client."""

    url: str
    pid: int
    client: Any = field(repr=False)

    @property
    def access(self) -> Access:
        """How stores reach it."""
        return Access(s3_endpoint=self.url, s3_region=_REGION, s3_key_id=_KEY_ID, s3_secret=_SECRET)

    @property
    def environ(self) -> Mapping[str, str]:
        """What to set for a service that shall use it."""
        return {
            "OFFLOADER_S3_ENDPOINT": self.url,
            "OFFLOADER_S3_REGION": _REGION,
            "OFFLOADER_S3_KEY_ID": _KEY_ID,
            "OFFLOADER_S3_SECRET": _SECRET,
        }

    def make_bucket(self, bucket: str) -> str:
        """Make a bucket if there is none of that name; return its URL."""
        self.client.create_bucket(Bucket=bucket)
        return f"s3://{bucket}"

    def put(self, bucket: str, key: str, content: bytes | Path) -> None:
        """Make or overwrite an object out of bytes or a file."""
        if isinstance(content, Path):
            with content.open("rb") as opened:
                self.client.put_object(Bucket=bucket, Key=key, Body=opened)
        else:
            self.client.put_object(Bucket=bucket, Key=key, Body=content)

    def put_folder(self, bucket: str, prefix: str, folder: Path) -> None:
        """Upload every file below a folder."""
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            self.put(bucket, f"{prefix}/{path.relative_to(folder)}".lstrip("/"), path)

    def get(self, bucket: str, key: str) -> bytes:
        """Return an object's bytes."""
        content: bytes = self.client.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def delete(self, bucket: str, key: str) -> None:
        """Remove an object."""
        self.client.delete_object(Bucket=bucket, Key=key)

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        """Return the keys of a bucket."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return sorted(found["Key"] for page in pages for found in page.get("Contents", ()))


@contextmanager
def s3_emulator(folder: Path | None = None) -> Iterator[S3Emulator]:
    """Run an emulator of S3 until the block ends; objects lie in memory, or in files in `folder`.

    The files have no names; they are gone with the process.
    """

    def command(port: int) -> list[str]:
        return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]

    environ = {"MOTO_S3_DEFAULT_KEY_BUFFER_SIZE": str(_IN_MEMORY_BYTES)}
    if folder is not None:
        environ = {"MOTO_S3_DEFAULT_KEY_BUFFER_SIZE": "1024", "TMPDIR": str(folder)}
    with running(command, "/moto-api/", environ) as (port, pid):
        url = f"http://127.0.0.1:{port}"
        client = botocore.session.Session().create_client(
            "s3",
            region_name=_REGION,
            endpoint_url=url,
            aws_access_key_id=_KEY_ID,
            aws_secret_access_key=_SECRET,
            config=Config(s3={"addressing_style": "path"}),
        )
        try:
            yield S3Emulator(url, pid, client)
        finally:
            client.close()
