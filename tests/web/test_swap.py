"""New snapshots under load: good ones swap without a failed request, bad ones never do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.http_replies import Reply, ask
from tests.projects import UsageProject, publish, usage_project, usage_table
from tests.service_process import Running, running
from tests.web.metric_values import value
from tests.web.served import GROUPED, PLAIN, newest_first, rows_of

ROWS = 300
CLIENTS = 2


@dataclass(slots=True)
class Client:
    """What one caller got, in the order in which it asked."""

    replies: list[Reply] = field(default_factory=list)
    errors: list[OSError] = field(default_factory=list)

    def ask_until(
        self, stop: threading.Event, address: tuple[str, int], key: dict[str, str]
    ) -> None:
        """Ask again and again, each time over a new connection."""
        while not stop.is_set():
            try:
                self.replies.append(ask(address, f"{PLAIN}?limit=100", key))
            except OSError as error:
                self.errors.append(error)


@contextmanager
def load(service: Running, project: UsageProject) -> Iterator[list[Client]]:
    """Have clients ask while the block runs."""
    stop = threading.Event()
    clients = [Client() for _ in range(CLIENTS)]
    arguments = (stop, service.api, project.authorization("tenant_0"))
    threads = [threading.Thread(target=client.ask_until, args=arguments) for client in clients]
    for thread in threads:
        thread.start()
    try:
        yield clients
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.fixture
def project(tmp_path: Path) -> UsageProject:
    return usage_project(tmp_path / "project", rows=ROWS)


def served(service: Running) -> str:
    """Return the id of the snapshot that is served."""
    return str(service.ask_admin("/status").document["datasets"]["usage"]["snapshot_id"])


def await_served(service: Running, snapshot_id: str) -> None:
    """Wait until a snapshot is served."""
    service.wait(lambda: served(service) == snapshot_id)


def test_a_new_snapshot_swaps_in_without_a_failed_request(
    project: UsageProject, tmp_path: Path
) -> None:
    """Every answer is 200 and of one snapshot as a whole, and no caller sees it go backwards."""
    with running(project.root, tmp_path / "cache") as service:
        with load(service, project) as clients:
            _await_seen(service, clients, "s0001")
            for number in (2, 3, 4):
                publish(project, usage_table(ROWS, factor=number), f"s000{number}")
                await_served(service, f"s000{number}")
                _await_seen(service, clients, f"s000{number}")
        expected = {
            f"s000{number}": newest_first(rows_of(0, ROWS, number)) for number in (1, 2, 3, 4)
        }
        for client in clients:
            assert client.errors == []
            assert {reply.status for reply in client.replies} == {200}
            seen = []
            for reply in client.replies:
                document = reply.document
                snapshot = document["meta"]["snapshot_id"]
                assert document["data"] == expected[snapshot]
                assert reply.headers["offloader-snapshot-id"] == snapshot
                seen.append(snapshot)
            assert seen == sorted(seen)
            assert seen[0] == "s0001"
        assert {snapshot for client in clients for snapshot in _ids(client)} == set(expected)
        service.wait(lambda: _previous(service) == "s0003")
        assert value(service, "offloader_generation") == 5


def _await_seen(service: Running, clients: list[Client], snapshot_id: str) -> None:
    """Wait until every client has got a snapshot."""
    service.wait(lambda: all(snapshot_id in _ids(client) for client in clients))


def _previous(service: Running) -> str:
    previous = service.diagnostics()["datasets"]["usage"]["previous"]
    return str(previous and previous["snapshot_id"])


def _ids(client: Client) -> set[str]:
    return {reply.headers["offloader-snapshot-id"] for reply in client.replies}


def test_a_bad_snapshot_never_swaps_in(project: UsageProject, tmp_path: Path) -> None:
    """The old one goes on, ready all the time; diagnostics name the code; a good one mends it."""
    key = project.authorization("tenant_1")
    with running(project.root, tmp_path / "cache") as service:
        before = service.ask(GROUPED, key)
        draft = replace(project, manifest_path=project.manifest_path.with_name("draft.json"))
        publish(draft, usage_table(ROWS, factor=2), "s0002")
        (file,) = (project.manifest_path.parent / "s0002").iterdir()
        file.write_bytes(file.read_bytes()[:-1])
        draft.manifest_path.replace(project.manifest_path)
        _await_code(service, "file_size_differs")
        assert service.ask_admin("/ready").status == 200
        after = service.ask(GROUPED, key)
        assert (after.body, after.headers["etag"]) == (before.body, before.headers["etag"])
        usage = service.diagnostics()["datasets"]["usage"]
        assert (usage["state"], usage["snapshot_id"]) == ("refresh_failing", "s0001")
        assert usage["last_attempt"]["snapshot_id"] == "s0002"
        assert value(service, "offloader_refresh_ok", dataset="usage") == 0
        (line,) = service.events("refresh_failed")
        assert (line["level"], line["code"]) == ("warning", "file_size_differs")
        publish(project, usage_table(ROWS, factor=3), "s0003")
        await_served(service, "s0003")
        # The reloader tells after the commit: a moment later than the data is seen.
        service.wait(lambda: value(service, "offloader_refresh_ok", dataset="usage") == 1)
        assert service.ask(GROUPED, key).headers["etag"] != before.headers["etag"]


def test_a_broken_manifest_never_swaps_in(project: UsageProject, tmp_path: Path) -> None:
    """Neither one that is no JSON nor one that is gone changes what is served."""
    with running(project.root, tmp_path / "cache", workers="1") as service:
        project.manifest_path.write_text("{", encoding="utf-8")
        _await_code(service, "manifest_invalid")
        assert value(service, "offloader_source_reachable", dataset="usage") == 1
        project.manifest_path.unlink()
        _await_code(service, "manifest_missing")
        service.wait(lambda: value(service, "offloader_source_reachable", dataset="usage") == 0)
        assert service.ask_admin("/ready").status == 200
        assert served(service) == "s0001"


def _await_code(service: Running, code: str) -> None:
    def is_told() -> bool:
        attempt = service.diagnostics()["datasets"]["usage"]["last_attempt"]
        return bool(attempt and attempt["code"] == code)

    service.wait(is_told)
