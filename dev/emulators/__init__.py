"""Stores on this machine that speak the protocols of GCS and S3, for tests, examples and figures.

    with gcs_emulator() as emulator:
        emulator.make_bucket("bucket")
        emulator.put("bucket", "a/key", b"bytes")
        Stores(emulator.access)

They listen on loopback at a port the kernel picked, and keep their objects in memory, or below a
folder.
"""

from dev.emulators.gcs import GcsEmulator, gcs_emulator
from dev.emulators.s3 import S3Emulator, s3_emulator

__all__ = ["GcsEmulator", "S3Emulator", "gcs_emulator", "s3_emulator"]
