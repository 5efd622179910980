"""Pages by cursor, as callers get them: one snapshot from first to last, or a 410 that says so.

The tests of the first part share an instance that looks for news only when it is asked to; each
begins by serving a snapshot of its own.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.http_replies import Reply
from tests.projects import write_yaml
from tests.service_process import Running, running
from tests.web.acting import NEVER, ROWS, Instance, new_instance
from tests.web.served import GROUPED, PLAIN, newest_first, rows_of

ASKS = 12  # so many new connections reach both workers
BACK_SECONDS = 60.0


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    instance = new_instance(tmp_path_factory.mktemp("cursors"))
    with running(instance.project.root, instance.cache, refresh_interval=NEVER) as service:
        instance.service = service
        yield instance


@pytest.fixture
def instance(shared: Instance) -> Instance:
    shared.act("unpin", accept=True)
    shared.serve_next()
    return shared


def ask(instance: Instance, query: str, tenant: int = 0, path: str = PLAIN) -> Reply:
    """Ask an endpoint as a tenant, over a new connection."""
    key = instance.project.authorization(f"tenant_{tenant}")
    return instance.service.ask(f"{path}?{query}", key)


def begin(instance: Instance, query: str = "limit=7", **other: Any) -> str:
    """Return the cursor of the second page."""
    cursor = ask(instance, query, **other).document["meta"]["next_cursor"]
    assert isinstance(cursor, str)
    return cursor


def refusals(instance: Instance, query: str, **other: Any) -> set[tuple[int, str, str]]:
    """Return how every worker refuses a request: status, family, code."""
    replies = [ask(instance, query, **other) for _ in range(ASKS)]
    errors = [(reply.status, reply.document["error"]) for reply in replies]
    return {(status, error["family"], error["code"]) for status, error in errors}


def snapshots(instance: Instance, cursor: str) -> set[str]:
    """Return the snapshots from which the workers answer a cursor, all of them 200."""
    replies = [ask(instance, f"limit=7&cursor={cursor}") for _ in range(ASKS)]
    assert {reply.status for reply in replies} == {200}, replies[0]
    return {reply.headers["offloader-snapshot-id"] for reply in replies}


def served_generation(service: Running) -> int:
    """Return the number of the generation that is served."""
    return int(service.ask_admin("/status").document["generation"])


GONE = {(410, "gone", "cursor_gone")}
BAD = {(422, "invalid_param", "bad_cursor")}


def test_pages_go_on_over_a_swap_on_the_snapshot_they_began_on(instance: Instance) -> None:
    """They never overlap or skip, whatever their size, and the last one has no next."""
    first = instance.served_id()
    expected = newest_first(rows_of(0, ROWS, instance.number))
    reply = ask(instance, "limit=4")
    rows = reply.document["data"]
    instance.serve_next()
    limits = iter((3, 6, 1, 500))
    while cursor := reply.document["meta"]["next_cursor"]:
        assert reply.document["meta"]["next_offset"] == len(rows)
        reply = ask(instance, f"limit={next(limits)}&cursor={cursor}")
        assert reply.headers["offloader-snapshot-id"] == first
        assert reply.document["meta"]["snapshot_id"] == first
        rows += reply.document["data"]
    assert reply.document["meta"]["next_offset"] is None
    assert next(limits, None) is None
    assert rows == expected


def test_a_page_by_cursor_is_the_page_by_offset(instance: Instance) -> None:
    """The same bytes under the same ETag, which a conditional request may name."""
    by_offset = ask(instance, "limit=7&offset=7")
    query = f"limit=7&cursor={begin(instance)}"
    by_cursor = ask(instance, query)
    assert by_cursor.body == by_offset.body
    assert by_cursor.headers["etag"] == by_offset.headers["etag"]
    instance.serve_next()
    later = ask(instance, query)
    assert (later.body, later.headers["etag"]) == (by_offset.body, by_offset.headers["etag"])
    key = instance.project.authorization("tenant_0") | {"If-None-Match": later.headers["etag"]}
    assert instance.service.ask(f"{PLAIN}?{query}", key).status == 304
    assert instance.service.ask(f"{PLAIN}?limit=7&offset=7", key).status == 200


def test_a_cursor_is_gone_once_its_snapshot_is_no_longer_held(instance: Instance) -> None:
    """The one before the served one is held, and none before that; starting again works."""
    cursor = begin(instance)
    instance.serve_next()
    held = begin(instance)
    assert len(snapshots(instance, cursor)) == 1
    instance.serve_next()
    assert refusals(instance, f"limit=7&cursor={cursor}") == GONE
    assert len(snapshots(instance, held)) == 1
    assert snapshots(instance, begin(instance)) == {instance.served_id()}


def test_a_cursor_is_of_no_use_to_another_request(instance: Instance) -> None:
    """Other params, columns, tenants and endpoints: none is answered, on any snapshot."""
    cursor = begin(instance, "limit=7&region=eu")
    for _ in range(2):
        assert ask(instance, f"limit=7&region=europe&cursor={cursor}").status == 200
        for query in (
            f"limit=7&cursor={cursor}",
            f"limit=7&region=us&cursor={cursor}",
            f"limit=7&region=eu&columns=region&cursor={cursor}",
            f"limit=7&region=eu&offset=7&cursor={cursor}",
            f"limit=7&region=eu&cursor={cursor[:-1]}",
            "limit=7&region=eu&cursor=",
        ):
            assert refusals(instance, query) == BAD
        assert refusals(instance, f"limit=7&region=eu&cursor={cursor}", tenant=1) == BAD
        assert refusals(instance, f"cursor={cursor}", path=GROUPED) == BAD
        instance.serve_next()


def test_groups_have_pages_as_well(instance: Instance) -> None:
    """Of an aggregate, too, every page is of one snapshot."""
    whole = ask(instance, "limit=100", path=GROUPED).document["data"]
    cursor, rows = begin(instance, "limit=2", path=GROUPED), whole[:2]
    instance.serve_next()
    while cursor:
        document = ask(instance, f"limit=2&cursor={cursor}", path=GROUPED).document
        rows += document["data"]
        cursor = document["meta"]["next_cursor"]
    assert rows == whole


def test_cursors_of_both_sides_of_a_rollback_go_on(instance: Instance) -> None:
    """What was rolled back is held as what was served before."""
    good, first = begin(instance), instance.served_id()
    bad = instance.serve_next()
    cursor = begin(instance)
    assert instance.act("rollback", reason="wrong sums")[::3] == ("done", first)
    assert snapshots(instance, good) == {first}
    assert snapshots(instance, cursor) == {bad}


def test_a_cursor_of_a_quarantined_snapshot_is_gone(instance: Instance) -> None:
    """It must not be served, not even the rest of it."""
    good, first = begin(instance), instance.served_id()
    instance.serve_next()
    cursor = begin(instance)
    assert instance.act("quarantine", reason="tampered")[::3] == ("done", first)
    assert refusals(instance, f"limit=7&cursor={cursor}") == GONE
    assert snapshots(instance, good) == {first}


def test_a_restarted_worker_answers_the_same_cursors(instance: Instance) -> None:
    """Which worker a page reaches makes no difference, nor does a restart of the reloader."""
    service, first, cursor = instance.service, instance.served_id(), begin(instance)
    instance.serve_next()
    for pid in service.worker_pids():
        _kill(service, pid)
    assert snapshots(instance, cursor) == {first}
    _kill(service, reloader_pid(service))
    service.wait(lambda: instance.post("refresh").status == 200, BACK_SECONDS)
    assert snapshots(instance, cursor) == {first}


def reloader_pid(service: Running) -> int:
    """Return the process of the reloader."""
    return int(service.diagnostics()["processes"]["reloader"]["pid"])


def _kill(service: Running, pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    service.wait(lambda: pid not in (*service.worker_pids(), reloader_pid(service)), BACK_SECONDS)
    service.wait(service.is_complete, BACK_SECONDS)


def test_over_a_restart_of_everything_the_served_snapshot_goes_on(tmp_path: Path) -> None:
    """Its cursors are the same to every process; those of earlier ones are gone."""
    instance = new_instance(tmp_path)
    with running(instance.project.root, instance.cache, refresh_interval=NEVER) as service:
        instance.service = service
        old = begin(instance)
        instance.serve_next()
        cursor = begin(instance)
        assert len(snapshots(instance, old)) == 1
        os.killpg(service.process.pid, signal.SIGKILL)
        service.process.wait(timeout=BACK_SECONDS)
    with running(instance.project.root, instance.cache, refresh_interval=NEVER) as service:
        instance.service = service
        assert begin(instance) == cursor
        assert snapshots(instance, cursor) == {instance.served_id()}
        assert refusals(instance, f"limit=7&cursor={old}") == GONE


def test_a_cursor_of_an_older_contract_is_gone(tmp_path: Path) -> None:
    """Also on the snapshot that is served still: its rows may mean something else by now."""
    instance = new_instance(tmp_path)
    path = instance.project.root / "endpoints" / "usage_rows.yml"
    with running(
        instance.project.root,
        instance.cache,
        refresh_interval=NEVER,
        config_sync_interval="1",
    ) as service:
        instance.service = service
        cursor = begin(instance)
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        before = served_generation(service)
        write_yaml(path, {**document, "description": "new words"})
        service.wait(lambda: served_generation(service) > before)
        assert len(snapshots(instance, cursor)) == 1
        write_yaml(path, {**document, "version": 2})
        service.wait(lambda: ask(instance, "").document["meta"]["version"] == 2)
        assert refusals(instance, f"limit=7&cursor={cursor}") == GONE
