"""What operators decided outlives every process, and a reloader that is away says so."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.http_replies import Reply
from tests.service_process import running
from tests.web.acting import NEVER, Instance, new_instance


def await_looks(instance: Instance) -> None:
    """Wait until the reloader has looked a few times since its start."""
    instance.await_told(lambda told: told["refreshes"].get("unchanged", 0) >= 3)


def test_a_restart_keeps_pins_and_rollbacks(tmp_path: Path) -> None:
    """Also when everything is killed the moment after the answer."""
    instance = new_instance(tmp_path)
    with running(instance.project.root, instance.cache, refresh_interval=NEVER) as service:
        instance.service = service
        instance.serve_next()
        assert instance.act("rollback") == ("done", "", "s0002", "s0001")
        assert service.end(signal.SIGKILL) == -signal.SIGKILL
    with running(instance.project.root, instance.cache) as service:
        instance.service = service
        await_looks(instance)
        assert instance.served_id() == "s0001"
        assert instance.told()["rolled_back"] == ["s0002"]
        assert instance.act("pin") == ("done", "", "s0001", "s0001")
        assert service.end(signal.SIGKILL) == -signal.SIGKILL
    instance.publish_next()
    with running(instance.project.root, instance.cache) as service:
        instance.service = service
        await_looks(instance)
        assert instance.served_id() == "s0001"
        assert instance.told()["pinned"] == {"snapshot_id": "s0001", "by": "operator"}
        assert instance.act("unpin") == ("done", "", "s0001", "s0003")


def test_a_reloader_that_is_away_says_so(tmp_path: Path) -> None:
    """503 with Retry-After while it is, and the answer as soon as it is back."""
    instance = new_instance(tmp_path)
    with running(instance.project.root, instance.cache, refresh_interval=NEVER) as service:
        instance.service = service
        pid = service.diagnostics()["processes"]["reloader"]["pid"]
        os.kill(pid, signal.SIGSTOP)
        os.kill(pid, signal.SIGKILL)
        replies: list[Reply] = []

        def is_answered() -> bool:
            replies.append(instance.post("refresh"))
            return replies[-1].status == 200

        service.wait(is_answered)
        away = [reply for reply in replies if reply.status != 200]
        assert {(reply.status, reply.code) for reply in away} <= {(503, "reloader_away")}
        assert {reply.headers["retry-after"] for reply in away} <= {"5"}
