"""The documents of a real service, in the states that an operator meets, against their page."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.projects import publish as publish_usage
from tests.projects import token_hash, usage_rows, usage_table, write_yaml
from tests.service_process import ADMIN_TOKEN, Running, running
from tests.web.acting import NEVER, ROWS, Instance, new_instance
from tests.web.documented_shape import faults, shape_of

SETTINGS = {"refresh_interval": "0.1", "config_sync_interval": "1"}
PLANTED = "ya29.planted-Qx7Lm2Zk9Tr4Wb"
BOOKS = "docs/operations/runbooks.md#"


@dataclass(slots=True, eq=False)
class Witness:
    """Looks at both documents of a service and holds each against its page."""

    instance: Instance
    texts: list[str] = field(default_factory=list)

    @property
    def service(self) -> Running:
        """The service that is looked at."""
        return self.instance.service

    def look(self) -> Any:
        """Return diagnostics, once both documents have the documented shape."""
        texts = {name: self._ask(f"/{name}") for name in ("status", "diagnostics")}
        for name, text in texts.items():
            assert faults(json.loads(text), shape_of(name)) == []
        self.texts += texts.values()
        return json.loads(texts["diagnostics"])

    def _ask(self, route: str) -> str:
        reply = self.service.ask_admin(route, {"Authorization": f"Bearer {ADMIN_TOKEN}"})
        assert reply.status == 200
        return reply.body.decode()

    def await_verdict(self, area: str, code: str, runbook: str) -> Any:
        """Wait until the verdict's first item is this one; return diagnostics."""
        wanted = (area, code, BOOKS + runbook)

        def is_told() -> bool:
            items = self.look()["verdict"]["items"]
            return bool(items) and (first_of(items)) == wanted

        self.service.wait(is_told)
        return self.look()

    def await_dataset(self, name: str, value: object) -> Any:
        """Wait until a field of the dataset has a value; return what is told of the dataset."""
        self.service.wait(lambda: self.look()["datasets"]["usage"][name] == value)
        return self.look()["datasets"]["usage"]

    @contextmanager
    def serving(
        self, until: str = "ready", settings: Mapping[str, str] = SETTINGS
    ) -> Iterator[None]:
        """Serve the instance's project until the block ends."""
        root, cache = self.instance.project.root, self.instance.cache
        with running(root, cache, until=until, **settings) as service:
            self.instance.service = service
            yield


def swap_in(path: Path, text: str) -> None:
    """Write a file so that no look finds half of it."""
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").replace(path)


def first_of(items: list[dict[str, Any]]) -> tuple[str, str, str]:
    """Return area, code and runbook of the first item."""
    return items[0]["area"], items[0]["code"], items[0]["runbook"]


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(new_instance(tmp_path))


def test_nothing_was_ever_published(witness: Witness) -> None:
    """Nothing is served, and the verdict is that there is no manifest: upstream."""
    witness.instance.project.manifest_path.unlink()
    with witness.serving(until="live"):
        document = witness.await_verdict("upstream", "manifest_missing", "source-unreachable")
    assert document["verdict"]["summary"] == (
        "Upstream data: manifest_missing, dataset usage, which serves nothing."
    )
    usage = document["datasets"]["usage"]
    assert (usage["state"], usage["source_reachable"]) == ("failed", False)
    assert usage["source_unreachable_since"] is not None
    (event,) = document["last_swaps"]
    assert (event["kind"], event["code"], event["from"]) == ("failed", "manifest_missing", None)


def test_a_snapshot_with_many_problems(witness: Witness) -> None:
    """The last good one goes on; every problem is told, also after a restart; then it is over."""
    with witness.serving():
        witness.await_verdict("upstream", "stale", "stale")
        path = witness.instance.project.manifest_path
        manifest = json.loads(path.read_text())
        broken = {**manifest, "snapshot_id": "s0002", "row_count": -1, "data_quality_status": "bad"}
        swap_in(path, json.dumps(broken))
        document = witness.await_verdict("upstream", "manifest_invalid", "bad-manifest")
        attempt = document["datasets"]["usage"]["last_attempt"]
        told = [(one["path"], one["code"]) for one in attempt["problems"]]
        assert told == [("data_quality_status", "not_a_choice"), ("row_count", "out_of_range")]
        assert attempt["is_final"] is True
        events = document["last_swaps"]
        assert [one["kind"] for one in events] == ["refused", "swapped"]
    with witness.serving():
        witness.service.wait(lambda: witness.look()["datasets"]["usage"]["last_attempt"])
        document = witness.look()
        assert document["datasets"]["usage"]["last_attempt"]["problems"] == attempt["problems"]
        assert document["last_swaps"] == events
        swap_in(path, json.dumps(manifest))
        witness.await_verdict("upstream", "stale", "stale")
        witness.service.wait(lambda: witness.look()["last_swaps"][0]["kind"] == "recovered")


def test_what_an_operator_did(witness: Witness) -> None:
    """Rollback, pin, unpin and quarantine stand in the timeline, with who and from where to where.

    What looks like a secret in a reason is not repeated.
    """
    # Looks only when told: one by itself may carry an unpin out before the action does.
    with witness.serving(settings={"refresh_interval": NEVER}):
        publish_usage(witness.instance.project, usage_table(ROWS, factor=2), "s0002")
        witness.service.process.send_signal(signal.SIGHUP)
        witness.await_dataset("snapshot_id", "s0002")
        assert witness.instance.act("rollback")[::3] == ("done", "s0001")
        usage = witness.await_dataset("rolled_back", ["s0002"])
        assert usage["previous"] is None
        witness.await_verdict("upstream", "newest_put_away", "stale")
        assert witness.instance.act("pin")[0] == "done"
        document = witness.await_verdict("config", "pinned_and_stale", "stale")
        assert document["datasets"]["usage"]["pinned"] == {"snapshot_id": "s0001", "by": "operator"}
        assert witness.instance.act("unpin", accept=True)[::3] == ("done", "s0002")
        publish_usage(witness.instance.project, usage_table(ROWS, factor=3), "s0003")
        witness.service.process.send_signal(signal.SIGHUP)
        witness.await_dataset("snapshot_id", "s0003")
        assert witness.instance.act("quarantine", reason=f"bearer {PLANTED}")[0] == "done"
        (mark,) = witness.await_dataset("state", "active")["quarantined_snapshots"]
        assert (mark["snapshot_id"], mark["reason"]) == ("s0003", "bearer [redacted]")
        told = [(e["kind"], e["by"], e["from"], e["to"]) for e in witness.look()["last_swaps"]]
    assert told == [
        ("quarantined", "operator", "s0003", "s0002"),
        ("swapped", "source", "s0002", "s0003"),
        ("unpinned", "operator", None, "s0002"),
        ("swapped", "operator", "s0001", "s0002"),
        ("pinned", "operator", None, "s0001"),
        ("rolled_back", "operator", "s0002", "s0001"),
        ("swapped", "source", "s0001", "s0002"),
        ("swapped", "source", None, "s0001"),
    ]
    assert not any(PLANTED in text for text in witness.texts)


def test_a_wrong_config_and_a_contract_that_waits(witness: Witness) -> None:
    """The config before goes on; the verdict names the file, and then the dataset that waits."""
    path = witness.instance.project.root / "endpoints" / "usage_rows.yml"
    with witness.serving():
        write_yaml(path, {**usage_rows(), "dataset": "nothing"})
        document = witness.await_verdict("config", "unknown_dataset", "config-bucket-unreachable")
        assert document["verdict"]["items"][0]["message"].startswith("endpoints/usage_rows.yml")
        assert document["last_swaps"][0]["kind"] == "config_refused"
        scanned = {**usage_rows(), "name": "usage_scanned", "serving_mode": "remote_scan"}
        write_yaml(path.with_name("usage_scanned.yml"), scanned)
        write_yaml(path, usage_rows())
        witness.service.wait(lambda: witness.look()["datasets"]["usage"]["remote_files"])
        usage = witness.look()["datasets"]["usage"]
        assert usage["serving_modes"]["usage_scanned"] == "remote_scan"
        told = ["swapped", "config_applied", "config_refused"]  # told after workers serve
        witness.service.wait(
            lambda: [one["kind"] for one in witness.look()["last_swaps"]][:3] == told
        )


def test_a_healthy_instance(witness: Witness) -> None:
    """Every process, what memory and disk hold, nothing of a key, a tenant or a token."""
    with witness.serving():
        witness.service.wait(witness.service.is_complete)
        witness.service.wait(lambda: (witness.look()["disk"]["cache_bytes"] or {}).get("segments"))
        document = witness.look()
    assert document["diagnostics_version"] == 1
    assert len({*_pids(document)}) == 4
    private = [one["private_bytes"] for one in _processes(document)]
    assert document["memory"]["private_bytes"] == sum(private)
    assert all(5 << 20 < size < 200 << 20 for size in private)
    assert all(0 < one["uptime_seconds"] < 60 for one in _processes(document))
    assert [one["is_attached"] for one in document["processes"]["workers"]] == [True, True]
    assert 0 < document["disk"]["cache_bytes"]["segments"] < document["disk"]["cache_total_bytes"]
    sizes = document["datasets"]["usage"]
    assert sum(sizes["part_bytes"].values()) == sizes["size_bytes"]
    assert document["memory"]["shared_bytes"] > 0
    assert list(document["datasets"]) == ["usage"]
    tokens = witness.instance.project.tokens.values()
    for secret in (ADMIN_TOKEN, "tenant_0", *tokens, *map(token_hash, tokens)):
        assert not any(secret in text for text in witness.texts), secret


def _processes(document: Any) -> list[dict[str, Any]]:
    told = document["processes"]
    return [told["main"], *told["workers"], told["reloader"]]


def _pids(document: Any) -> list[int]:
    return [one["pid"] for one in _processes(document)]
