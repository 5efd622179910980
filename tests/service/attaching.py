"""What tests of attached workers share: a swap, what a worker answers, what is mapped."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path

from offloader.query.encode import encode_json
from offloader.query.execute import run
from offloader.query.params import bind
from offloader.service.main.generations import Generations
from offloader.service.worker.attachment import Attachment
from offloader.service.worker.generation import Generation
from tests.service.loaded import Loaded
from tests.service.swapping import LONG_SECONDS

Attach = Callable[[], Attachment]


def disconnect(attachment: Attachment) -> None:
    """End the connection, as main's end does."""
    attachment._connection.shutdown(socket.SHUT_RDWR)


def swap(generations: Generations, made: Loaded, entry: object) -> int:
    """Prepare, wait for the workers, commit."""
    number = generations.prepare({"documents": made.project.documents, "snapshots": entry})
    assert generations.await_workers(number, LONG_SECONDS) == ""
    generations.commit(number, LONG_SECONDS)
    return number


def body(generation: Generation | None) -> dict[str, object]:
    """Return what a generation answers: the snapshot, and the first row's calls."""
    assert generation is not None
    plan = generation.endpoints["alpha_rows"].plan
    assert plan is not None
    bound = bind(plan.signature, {"limit": "2", "offset": "1"})
    answer = json.loads(encode_json(plan, bound, run(plan, bound, None), stale=False))
    return {"snapshot": answer["meta"]["snapshot_id"], "data": answer["data"]}


ROWS = [
    {"name": "n1", "calls": 1, "extra": {"row": 1}},
    {"name": "n2", "calls": 2, "extra": {"row": 2}},
]


def mapped_parts() -> int:
    """Count the parts of the dataset that this process maps."""
    return Path("/proc/self/maps").read_text().count("memfd:offloader-alpha")
