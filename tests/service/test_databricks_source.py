"""A real service on a Databricks folder in a bucket: what it serves after each thing jobs do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from dev.emulators.gcs import GcsEmulator, gcs_emulator
from tests.projects import write_project
from tests.service_process import Running, running
from tests.sources.commits import marker_text, parquet_bytes, part_name

BUCKET, FOLDER = "lake", "export/accounts"
FIRST, SECOND, THIRD, FOURTH = "7315066556330505739", "2573423067284639534", "4790", "9001"
COLUMNS = ("account", "calls", "extra")


@pytest.fixture(scope="module")
def gcs() -> Iterator[GcsEmulator]:
    with gcs_emulator() as emulator:
        emulator.make_bucket(BUCKET)
        yield emulator


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A public project whose one dataset is a folder of a bucket, looked at every 0.2 s."""
    source = {"type": "databricks", "bucket": BUCKET, "prefix": FOLDER, "interval_seconds": 0.2}
    types = ("VARCHAR", "BIGINT", "JSON")
    schema = [{"name": name, "type": kind} for name, kind in zip(COLUMNS, types, strict=True)]
    query = {
        "select": [{"as": name, "column": name} for name in COLUMNS],
        "order_by": [{"column": "account", "dir": "asc"}],
    }
    endpoint = {
        "name": "accounts",
        "version": 1,
        "dataset": "accounts",
        "query": query,
        "columns": list(COLUMNS),
    }
    return write_project(
        tmp_path / "project",
        datasets={"accounts": {"id": "accounts", "schema": schema, "source": source}},
        endpoints={"accounts": endpoint},
    )


class Jobs:
    """What jobs write into the folder, by Google's own client."""

    def __init__(self, gcs: GcsEmulator) -> None:
        self._gcs = gcs

    def put(self, name: str, content: bytes | str) -> None:
        raw = content.encode() if isinstance(content, str) else content
        self._gcs.put(BUCKET, f"{FOLDER}/{name}", raw)

    def write(self, tid: str, *parts: Sequence[tuple[str, int]]) -> list[str]:
        """Write files of (account, calls) and return their names; nothing is committed."""
        self.put(f"_started_{tid}", "")
        names = [part_name(tid, number) for number in range(len(parts))]
        for name, rows in zip(names, parts, strict=True):
            accounts, calls = zip(*rows, strict=True)
            extra = [f'{{"calls":{count}}}' for count in calls]
            self.put(name, parquet_bytes({"account": accounts, "calls": calls, "extra": extra}))
        return names

    def commit(self, tid: str, added: Sequence[str], removed: Sequence[str] = ()) -> None:
        self.put(f"_committed_{tid}", marker_text(added, removed))

    def delete(self, name: str) -> None:
        self._gcs.delete(BUCKET, f"{FOLDER}/{name}")


def served(service: Running) -> tuple[str, list[tuple[str, int, int]]]:
    """Return the snapshot's id and its rows."""
    document = service.ask("/v1/endpoints/accounts").document
    rows = [(row["account"], row["calls"], row["extra"]["calls"]) for row in document["data"]]
    return document["meta"]["snapshot_id"], rows


def dataset(service: Running) -> Any:
    return service.diagnostics()["datasets"]["accounts"]


def test_a_folder_of_commits_is_followed(project: Path, tmp_path: Path, gcs: GcsEmulator) -> None:
    """From nothing over commits, clean-ups and broken markers: only a whole commit is served."""
    jobs = Jobs(gcs)
    environ = {"workers": "1", "gcs_auth": "none"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", gcs.url)

        # 1. Nothing is committed: the service lives and says why it is not ready.
        names = jobs.write(FIRST, [("a", 1), ("b", 2)], [("c", 3)])
        with running(project, tmp_path / "cache", until="live", **environ) as service:
            wait_for_code(service, "commit_missing")
            assert not service.is_ready()

            # 2. The commit of both files is one snapshot.
            jobs.commit(FIRST, names)
            service.wait(service.is_ready)
            assert served(service) == (f"tid_{FIRST}", [("a", 1, 1), ("b", 2, 2), ("c", 3, 3)])

            # 3. Neither a clean-up nor a job under way nor half a marker changes it.
            jobs.put("_committed_vacuum63", marker_text([], [f"_started_{FIRST}"]))
            more = jobs.write(SECOND, [("d", 4)])
            jobs.put(f"_committed_{SECOND}", '{"added":["part-')
            wait_for_looks(service)
            assert served(service)[0] == f"tid_{FIRST}"

            # 4. An overwrite: its files alone are served, the removed ones may go.
            jobs.commit(SECOND, more, removed=names)
            service.wait(lambda: served(service)[0] == f"tid_{SECOND}")
            assert served(service)[1] == [("d", 4, 4)]
            for name in (*names, f"_committed_{FIRST}", f"_started_{FIRST}"):
                jobs.delete(name)

            # 5. A commit that adds nothing is refused, and what was served goes on.
            jobs.commit(THIRD, [], removed=more)
            wait_for_code(service, "commit_empty")
            assert served(service)[0] == f"tid_{SECOND}"
            assert service.is_ready()

            # 6. The next one that is whole ends the matter.
            jobs.commit(FOURTH, jobs.write(FOURTH, [("e", 5)]))
            service.wait(lambda: served(service)[0] == f"tid_{FOURTH}")
            assert served(service)[1] == [("e", 5, 5)]

        # 7. A restart serves it at once, though its file is gone, and describes nothing anew.
        jobs.delete(part_name(FOURTH))
        with running(project, tmp_path / "cache", **environ) as service:
            assert served(service) == (f"tid_{FOURTH}", [("e", 5, 5)])
            service.wait(lambda: dataset(service)["source_reachable"])
            wait_for_looks(service)
            assert dataset(service)["last_attempt"]["code"] == ""


def wait_for_code(service: Running, code: str) -> None:
    """Wait until the last attempt ended with a code."""
    service.wait(lambda: (dataset(service)["last_attempt"] or {}).get("code") == code)


def wait_for_looks(service: Running) -> None:
    """Wait until the folder was looked at twice from now on, and nothing new was there."""
    before = unchanged(service)
    service.wait(lambda: unchanged(service) >= before + 2)


def unchanged(service: Running) -> int:
    return int(dataset(service)["refreshes"].get("unchanged", 0))
