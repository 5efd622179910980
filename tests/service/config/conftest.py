"""An emulator for the tests of a start."""

from tests.stores.conftest import bucket, gcs

__all__ = ["bucket", "gcs"]
