"""What operators' actions do to a running instance: every effect, as callers of the API see it.

The tests share an instance that looks for news only when it is asked to; each begins by serving a
snapshot of its own, without a pin.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from tests.service_process import ADMIN_TOKEN, running
from tests.web.acting import NEVER, Instance, new_instance

FINGERPRINT = sha256(ADMIN_TOKEN.encode()).hexdigest()[:12]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    instance = new_instance(tmp_path_factory.mktemp("acting"))
    with running(instance.project.root, instance.cache, refresh_interval=NEVER) as service:
        instance.service = service
        yield instance


@pytest.fixture
def instance(shared: Instance) -> Instance:
    shared.act("unpin", accept=True)
    shared.serve_next()
    return shared


def test_refresh_looks_now(instance: Instance) -> None:
    """A new manifest is served when the answer comes, and nothing new is no failure."""
    first = instance.served_id()
    assert instance.act("refresh") == ("unchanged", "", first, first)
    second = instance.publish_next()
    assert instance.served_id() == first
    reply = instance.post("refresh")
    assert (reply.status, reply.document["outcome"]) == (200, "done")
    assert (reply.document["from"], reply.document["to"]) == (first, second)
    assert instance.served_id() == second
    status = instance.service.ask_admin("/status").document
    assert status["generation"] == reply.document["generation"]


def test_every_action_is_an_audit_line(instance: Instance) -> None:
    """Who by the token's fingerprint, what, of which dataset, from, to, and the result."""
    first, before = instance.served_id(), len(instance.audits())
    second = instance.publish_next()
    instance.act("refresh")
    instance.act("rollback", reason="wrong sums")
    instance.act("rollback")
    instance.act("pin", reason="until Monday")
    instance.act("unpin")
    instance.act("unpin", accept=True)
    instance.act("rebuild")
    instance.act("quarantine", reason="tampered")
    assert instance.audits()[before:] == [
        (FINGERPRINT, "refresh", "usage", first, second, "done", "", False),
        (FINGERPRINT, "rollback", "usage", second, first, "done", "wrong sums", False),
        (FINGERPRINT, "rollback", "usage", first, first, "refused", "", False),
        (FINGERPRINT, "pin", "usage", first, first, "done", "until Monday", False),
        (FINGERPRINT, "unpin", "usage", first, first, "refused", "", False),
        (FINGERPRINT, "unpin", "usage", first, second, "done", "", True),
        (FINGERPRINT, "rebuild", "usage", second, second, "done", "", False),
        (FINGERPRINT, "quarantine", "usage", second, first, "done", "tampered", False),
    ]


def test_refresh_tells_why_the_newest_is_not_served(instance: Instance) -> None:
    """A broken manifest is refused with its code, one that is gone failed; data is served on."""
    first = instance.served_id()
    manifest = instance.project.manifest_path.read_bytes()
    instance.project.manifest_path.write_text("{", encoding="utf-8")
    reply = instance.post("refresh")
    assert (reply.status, reply.document["code"]) == (409, "manifest_invalid")
    instance.project.manifest_path.unlink()
    reply = instance.post("refresh")
    assert (reply.status, reply.document["code"]) == (502, "manifest_missing")
    assert instance.served_id() == first
    # What is gone is looked for again by itself: after that nobody looks but who is told to.
    instance.project.manifest_path.write_bytes(manifest)
    instance.await_told(lambda told: told["last_attempt"] is None)
    instance.serve_next()


def test_rollback_serves_the_previous_snapshot_again(instance: Instance) -> None:
    """Byte for byte; the bad one stays away until a newer one appears."""
    first, before = instance.served_id(), instance.reply()
    second = instance.serve_next()
    assert instance.reply().headers["etag"] != before.headers["etag"]
    assert instance.act("rollback") == ("done", "", second, first)
    again = instance.reply()
    assert (again.body, again.headers["etag"]) == (before.body, before.headers["etag"])
    instance.await_told(lambda told: told["rolled_back"][-1] == second)
    shown = instance.service.ask_admin("/status").document["datasets"]["usage"]
    assert (shown["snapshot_id"], shown["rolled_back"], shown["pinned"]) == (first, True, False)
    assert instance.act("refresh") == ("unchanged", "", first, first)
    assert instance.act("rollback")[:2] == ("refused", "no_previous_snapshot")
    third = instance.publish_next()
    assert instance.act("refresh") == ("done", "", first, third)
    assert instance.served_id() == third


def test_accept_brings_a_rolled_back_snapshot_back(instance: Instance) -> None:
    """It was not so bad after all."""
    first = instance.served_id()
    second = instance.serve_next()
    instance.act("rollback")
    assert instance.act("refresh", accept=True) == ("done", "", first, second)
    assert instance.served_id() == second
    instance.await_told(lambda told: second not in told["rolled_back"])


def test_a_pin_holds_against_a_newer_snapshot(instance: Instance) -> None:
    """Until it is lifted; a rollback is refused meanwhile."""
    first = instance.served_id()
    assert instance.act("pin") == ("done", "", first, first)
    second = instance.publish_next()
    assert instance.act("refresh") == ("unchanged", "", first, first)
    assert instance.served_id() == first
    pin = {"snapshot_id": first, "by": "operator"}
    instance.await_told(lambda told: told["pinned"] == pin)
    assert instance.act("rollback")[:2] == ("refused", "pinned")
    assert instance.act("unpin") == ("done", "", first, second)
    assert instance.served_id() == second
    instance.await_told(lambda told: told["pinned"] is None)


def test_a_pin_can_go_back(instance: Instance) -> None:
    """To any snapshot that is still known; to another one it is refused."""
    first = instance.served_id()
    second = instance.serve_next()
    assert instance.act("pin", snapshot_id=first) == ("done", "", second, first)
    assert instance.served_id() == first
    reply = instance.post("pin", snapshot_id="never_published")
    assert (reply.status, reply.document["code"]) == (409, "snapshot_unknown")
    instance.await_told(lambda told: told["pinned"]["snapshot_id"] == first)


def test_unpin_towards_a_rolled_back_snapshot_needs_accept(instance: Instance) -> None:
    """Without it nothing changes, the pin included."""
    first = instance.served_id()
    second = instance.serve_next()
    instance.act("rollback")
    instance.act("pin")
    assert instance.act("unpin") == ("refused", "needs_accept", first, first)
    pin = {"snapshot_id": first, "by": "operator"}
    instance.await_told(lambda told: told["pinned"] == pin)
    assert instance.served_id() == first
    assert instance.act("unpin", accept=True) == ("done", "", first, second)
    assert instance.served_id() == second


def test_quarantine_puts_a_snapshot_away(instance: Instance) -> None:
    """The previous one is served, and the bad one comes back with `accept` only."""
    first = instance.served_id()
    second = instance.serve_next()
    assert instance.act("quarantine", reason="tampered") == ("done", "", second, first)
    assert instance.served_id() == first

    def marks() -> list[tuple[str, str]]:
        told = instance.told()["quarantined_snapshots"]
        return [(one["snapshot_id"], one["reason"]) for one in told]

    instance.await_told(lambda _: (second, "tampered") in marks())
    assert instance.act("refresh") == ("unchanged", "", first, first)
    assert instance.act("pin", snapshot_id=second)[:2] == ("refused", "needs_accept")
    assert instance.act("refresh", accept=True) == ("done", "", first, second)
    instance.await_told(lambda _: second not in dict(marks()))


def test_rebuild_makes_the_same_bytes_anew(instance: Instance) -> None:
    """Other files of every part, columns, access paths and row texts; the same body and ETag."""
    before, inodes = instance.reply(), instance.part_inodes()
    first = instance.served_id()
    assert instance.act("rebuild") == ("done", "", first, first)
    after, rebuilt = instance.reply(), instance.part_inodes()
    assert (after.body, after.headers["etag"]) == (before.body, before.headers["etag"])
    changed = [name for name, inode in rebuilt.items() if inodes.get(name) not in (None, inode)]
    told = instance.told()
    assert (len(told["access_paths"]), len(told["row_texts"])) == (4, 1)
    assert len(changed) == 1 + 4 + 1


def test_the_command_does_the_same(instance: Instance) -> None:
    """`offloader snapshot` against the real instance: exit codes, words, and the effect."""
    first = instance.served_id()
    second = instance.publish_next()
    assert instance.command("refresh", "usage")[0] == 0
    code, out, _ = instance.command("rollback", "usage", "--reason", "wrong sums")
    assert (code, out.split()[0], f"({second} -> {first}, " in out) == (0, "done:", True)
    assert instance.served_id() == first
    instance.await_told(lambda told: told["rolled_back"][-1] == second)
    code, out, _ = instance.command("status")
    assert (code, second in out.splitlines()[1]) == (0, True)
    code, out, err = instance.command("rollback", "usage")
    assert (code, out) == (1, "")
    assert err.startswith("refused: [no_previous_snapshot] ")


def test_a_body_has_the_limit_of_all_bodies(instance: Instance) -> None:
    """413 above 64 KiB, and no trace in the audit."""
    before = instance.audits()
    reply = instance.post("pin", reason="r" * (64 << 10))
    assert (reply.status, reply.code) == (413, "body_too_large")
    assert instance.audits() == before


def test_only_one_action_at_a_time(instance: Instance) -> None:
    """A dataset's second action is refused while the first is under way; another waits."""
    assert instance.post("rebuild", wait_seconds=0).status == 202
    reply = instance.post("refresh")
    assert (reply.status, reply.document["code"]) in [(409, "action_running"), (200, "")]
    instance.service.wait(lambda: instance.act("refresh")[0] == "unchanged")


def test_a_pin_of_the_config_is_the_last_word(tmp_path: Path) -> None:
    """Operators are told to change the file."""
    instance = new_instance(tmp_path, pin="s0001")
    with running(instance.project.root, instance.cache, workers="1") as service:
        instance.service = service
        for kind in ("pin", "unpin", "rollback"):
            assert instance.act(kind)[:2] == ("refused", "pinned_by_config")
        assert instance.told()["pinned"] == {"snapshot_id": "s0001", "by": "config"}
        instance.publish_next()
        assert instance.act("refresh") == ("unchanged", "", "s0001", "s0001")
