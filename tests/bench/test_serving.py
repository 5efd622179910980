"""The parts of the serving benchmark work on real processes and real projects."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.bench.serving.asking import (
    Ask,
    http_request,
    read_requests,
    roapi_request,
    target_of,
    write_requests,
)
from dev.bench.serving.making import make_run
from dev.bench.serving.paced import pace
from dev.bench.serving.processes import answers, cpu_seconds, started, tree
from dev.bench.serving.project import token_of, tokens
from dev.bench.serving.works import OF_ACCOUNT, QUESTIONS, TOTAL
from dev.bench.serving.wrk import load
from offloader.catalog.documents import load_catalog
from tests.docs.running import free_ports

_TARGET = target_of(OF_ACCOUNT, Ask(3, ("a b",)))


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """The floor with one body of 500 bytes; its address and pid."""
    folder = tmp_path_factory.mktemp("floor")
    (folder / "v1" / "endpoints").mkdir(parents=True)
    (folder / "v1" / "endpoints" / "usage_of_account").write_bytes(b"x" * 500)
    port, _ = free_ports()
    command = [sys.executable, "-m", "dev.bench.serving.sanic_floor", "--port", str(port)]
    command += ["--source", str(folder)]
    with started(command, folder / "log", lambda: answers(port)) as process:
        yield f"127.0.0.1:{port}", process.pid


def test_requests_are_plain_http_and_survive_their_file(tmp_path: Path) -> None:
    """A file gives back the same bytes, whatever is in them."""
    get = http_request(_TARGET, 3, headers=[("If-None-Match", '"x"')])
    assert get == (
        b"GET /v1/endpoints/usage_of_account?account=a+b HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Authorization: Bearer " + token_of(3).encode() + b'\r\nIf-None-Match: "x"\r\n\r\n'
    )
    post = http_request("/api/sql", 3, body="é\n1")
    assert post.endswith(b"\r\nContent-Length: 4\r\n\r\n\xc3\xa9\n1")
    assert read_requests(write_requests(tmp_path / "asked", [get, post, get])) == [get, post, get]


def test_roapi_is_asked_for_the_same_rows() -> None:
    """Rows by its REST route, aggregates by its SQL route; the tenant is a filter."""
    rows = roapi_request(OF_ACCOUNT, Ask(3, ("acct",))).splitlines()[0].decode()
    assert rows == (
        "GET /api/tables/usage?columns=account,day,calls,cost,region&filter%5Btenant%5D="
        "%27tenant_000003%27&filter%5Baccount%5D=%27acct%27&sort=day&limit=50 HTTP/1.1"
    )
    assert roapi_request(TOTAL, Ask(3, ())).endswith(b"FROM usage WHERE tenant = 'tenant_000003'")


def test_the_project_is_valid_and_has_an_endpoint_for_each_question(tmp_path: Path) -> None:
    """Each tenant has a key, and one more key has no tenant; a second run uses what is there."""
    run = make_run(tmp_path, 1000)
    catalog, _ = load_catalog(run.project)
    served = {name for name, question in QUESTIONS.items() if question.table in run.tables}
    assert set(catalog.endpoints) == served
    assert {"usage", "orders"} <= set(run.tables)
    assert len(tokens()) == 501
    assert make_run(tmp_path, 1000) == run
    with pytest.raises(SystemExit, match="holds 1000 rows"):
        make_run(tmp_path, 2000)


def test_the_paced_generator_asks_at_its_rate(floor: tuple[str, int]) -> None:
    """Every request is answered, and latency counts from when it was due."""
    found = pace(floor[0], [http_request(_TARGET, 3)], rate=400.0, seconds=1.0, connections=4)
    took = 400 / found.rate
    assert 0.7 < took < 1.3 + found.p999 / 1e6  # a slow moment is latency, not another rate
    assert 0.0 < found.p50 <= found.p99 <= found.p999


def test_the_paced_generator_counts_what_waits_for_a_connection(floor: tuple[str, int]) -> None:
    """Far more than one connection can do is due: latency grows to a good part of the run."""
    found = pace(floor[0], [http_request(_TARGET, 3)], rate=60_000.0, seconds=1.0, connections=1)
    assert found.rate < 60_000.0 * 0.9
    assert found.p50 > 50_000.0


def test_an_answer_that_is_an_error_ends_the_run(floor: tuple[str, int]) -> None:
    """A peer that refuses would look fast."""
    with pytest.raises(RuntimeError, match="was answered 404"):
        pace(floor[0], [http_request("/nothing", 3)], rate=100.0, seconds=1.0, connections=1)


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_wrk_sends_the_requests_of_a_file(tmp_path: Path, floor: tuple[str, int]) -> None:
    """Rate, latency and the server's processor time come back; errors are not counted as work."""
    address, pid = floor
    fine = write_requests(tmp_path / "fine.http", [http_request(_TARGET, 3)] * 3)
    found = load(address, fine, 1.0, roots=(pid,), connections=2)
    assert found.rate > 100.0
    assert 0.0 < found.p50 <= found.p99
    assert 0.0 < found.cpu_us < 1e6
    wrong = write_requests(tmp_path / "wrong.http", [http_request("/nothing", 3)])
    with pytest.raises(RuntimeError, match=r"requests to .* failed \(wrong.http\)"):
        load(address, wrong, 1.0, connections=2)


def test_processes_are_counted_with_all_below_them(floor: tuple[str, int]) -> None:
    """A tree begins at its root; processor time only grows."""
    assert floor[1] in tree(os.getpid())
    before = cpu_seconds([floor[1]])
    assert before > 0.0
    pace(floor[0], [http_request(_TARGET, 3)], rate=500.0, seconds=1.0)
    assert cpu_seconds([floor[1]]) >= before
