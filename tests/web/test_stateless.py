"""Config and data in a bucket, nothing mounted: boot, sync, refresh, swap and rollback.

With the real client libraries, against a server of each protocol.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.projects import key_document, usage_table, write_yaml
from tests.service_process import Running, running
from tests.web.bucket_site import FAMILIES, BucketSite, act, bucket_site
from tests.web.served import GROUPED, PICKED, PLAIN, ROWS

SECONDS = 60.0
TARGETS = (
    PLAIN,
    f"{PLAIN}?limit=500&offset=7",
    f"{PLAIN}?region=eu&from_date=2026-01-10&columns=account_id,amount,attributes",
    f"{PLAIN}?account_id=nobody",
    GROUPED,
    f"{GROUPED}?account_id=acct_3",
    f"{PICKED}?region=europe&most=500",
    f"{PICKED}?region=mars",
)
FORMATS = ("application/json", "application/x-ndjson", "text/csv")


@pytest.fixture(params=FAMILIES)
def site(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[BucketSite]:
    with bucket_site(request.param, tmp_path, monkeypatch) as made:
        yield made


def answers(service: Running, site: BucketSite) -> dict[tuple[str, ...], tuple[object, ...]]:
    """Return status, body and headers of every request that is compared."""
    found: dict[tuple[str, ...], tuple[object, ...]] = {}
    for tenant in site.project.tokens:
        for target in TARGETS:
            for accept in FORMATS:
                headers = {**site.project.authorization(tenant), "Accept": accept}
                reply = service.ask(target, {**headers, "X-Request-Id": "same"})
                kept = ("etag", "content-type", "offloader-snapshot-id")
                told = [reply.headers.get(name) for name in kept]
                found[tenant, target, accept] = (reply.status, reply.body, *told)
    return found


def await_served(service: Running, site: BucketSite, snapshot_id: str) -> None:
    """Wait until callers get a snapshot."""

    def is_served() -> bool:
        reply = service.ask(PLAIN, site.project.authorization("tenant_0"))
        return reply.headers.get("offloader-snapshot-id") == snapshot_id

    service.wait(is_served, SECONDS)


def test_a_bucket_and_a_folder_give_the_same_bytes(site: BucketSite, tmp_path: Path) -> None:
    """The same project and data: every body and ETag is the same, also of the next snapshot."""
    site.publish(usage_table(ROWS, factor=3), "s0002", files=3)
    with (
        running(site.project.root, tmp_path / "local", workers="1") as local,
        site.served(tmp_path / "remote", workers="1") as remote,
    ):
        expected = answers(local, site)
        assert {found[0] for found in expected.values()} == {200, 422}
        assert answers(remote, site) == expected
        site.publish(usage_table(ROWS, factor=5), "s0003", files=2)
        await_served(local, site, "s0003")
        await_served(remote, site, "s0003")
        following = answers(local, site)
        assert following != expected
        assert answers(remote, site) == following


def test_a_replica_lives_out_of_a_bucket(site: BucketSite, tmp_path: Path) -> None:
    """It boots, takes what is published, follows the config, rolls back, and starts again warm."""
    key = site.project.authorization("tenant_1")
    with site.served(tmp_path / "cache", config_sync_interval="1") as service:
        await_served(service, site, "s0001")
        site.publish(usage_table(ROWS, factor=2), "s0002")
        await_served(service, site, "s0002")
        assert service.ask(PLAIN, key).status == 200
        _revoke(site, "tenant_1")
        service.wait(lambda: service.ask(PLAIN, key).status == 401, SECONDS)
        assert act(service, "rollback").document["outcome"] == "done"
        await_served(service, site, "s0001")
        site.publish(usage_table(ROWS, factor=3), "s0003")
        await_served(service, site, "s0003")
    with site.served(tmp_path / "cache") as again:
        assert again.events("build_started") == []
        assert again.ask(PLAIN, key).status == 401
        await_served(again, site, "s0003")


def _revoke(site: BucketSite, tenant: str) -> None:
    keys = [
        key_document(name, token, name) | ({"status": "revoked"} if name == tenant else {})
        for name, token in site.project.tokens.items()
    ]
    write_yaml(site.project.root / "keys" / "keys.yml", {"keys": keys})
    site.put("keys/keys.yml")
