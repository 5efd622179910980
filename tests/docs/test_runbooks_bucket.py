"""The runbook about the config's bucket, followed on a service that has nothing but its URL."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.runbook import incident
from tests.web.bucket_site import BUCKET, PREFIX, bucket_site
from tests.web.metric_values import value

SYNC = {"config_sync_interval": "1"}


def test_config_bucket_unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bucket goes; the service and a restarted one serve on; it is back, and they see it."""
    cache = tmp_path / "cache"
    with bucket_site("gs", tmp_path, monkeypatch) as site:
        known = {"OFFLOADER_CONFIG": site.config}
        emulator = site.emulator
        with incident("Config bucket unreachable", tmp_path, known) as here:
            with site.served(cache, **SYNC) as here.service:
                for key in emulator.keys(BUCKET):
                    emulator.delete(BUCKET, key)
                emulator.client.bucket(BUCKET).delete()
                here.see()
            with site.served(cache, **SYNC) as here.service:
                here.see()
                assert '"code": "bucket_missing"' in here.do("curl")
                assert '"config_fallback"' in here.do("grep")
                assert "[bucket_missing]" in here.do("offloader validate", code=2)
                emulator.make_bucket(BUCKET)
                emulator.put_folder(BUCKET, PREFIX, site.project.root)
                service = here.service
                service.wait(lambda: value(service, "offloader_config_sync_ok") == 1)
                assert service.events("config_reachable")
                assert here.do("curl") == "offloader_config_sync_ok 1.0\n"
