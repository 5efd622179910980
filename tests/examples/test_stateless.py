"""The example stateless: two replicas out of a bucket, and clients who see each new snapshot."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

from dev.examples.stateless.__main__ import TARGET
from dev.examples.stateless.publisher import PROJECT, Publisher, orders
from offloader.catalog.documents import load_catalog
from tests.docs.markdown import ROOT, curl_lines

SECONDS = 60.0
_LINE = re.compile(
    r" *(?P<time>[\d:]+) +(?P<replica>[12])  (?P<snapshot>s\d{4}) +(?P<orders>[\d,]+)"
    r'  (?P<etag>"[0-9a-f]+") +(?P<after>[\d.]+ s)? +(?P<was>built|fetched|cache)'
)


def test_clients_see_what_is_published() -> None:
    """Both replicas show the same snapshots with the same values and ETags; Ctrl-C ends it."""
    command = [sys.executable, "-m", "dev.examples.stateless"]
    process = subprocess.Popen(
        [*command, "--rows", "1000", "--every", "1", "--ports", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        said, seen = [], {}
        for line in process.stdout:
            said.append(line.rstrip())
            if match := _LINE.fullmatch(line.rstrip()):
                seen[match["replica"], match["snapshot"]] = match["orders"], match["etag"]
            if _is_enough(seen):
                break
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    assert process.returncode == 0, said
    assert rest.splitlines()[-1] == "stopped"
    assert any("replica 2 is ready" in line and "it fetched it" in line for line in said), said
    for replica, snapshot in seen:
        other = seen.get(("2" if replica == "1" else "1", snapshot))
        assert other in (None, seen[replica, snapshot])


def _is_enough(seen: dict[tuple[str, str], tuple[str, str]]) -> bool:
    """Tell whether both replicas showed a same snapshot that was published while they ran."""
    first, second = ({name for one, name in seen if one == replica} for replica in "12")
    return len(first & second - {"s0001"}) >= 1 and len(first) >= 3


def test_the_project_is_valid_and_its_rows_follow_from_their_number() -> None:
    """It is an ordinary project, and what is published is the same each time."""
    catalog, _ = load_catalog(PROJECT)
    assert list(catalog.endpoints) == ["orders_by_shop"]
    assert orders(9, 2).slice(8).to_pylist()[0]["revenue"] == Decimal("199.50")
    assert orders(50, 3).equals(orders(50, 3))


def test_the_manifest_comes_last() -> None:
    """A reader never finds a manifest whose file is not there."""
    written: list[str] = []
    publisher = Publisher(lambda key, _: written.append(key), rows=5)
    assert [publisher.publish(), publisher.publish()] == ["s0001", "s0002"]
    manifest = "project/data/manifest.json"
    files = [f"project/data/s000{number}/orders.parquet" for number in (1, 2)]
    assert written == [files[0], manifest, files[1], manifest]


def test_the_page_shows_a_request_of_it() -> None:
    """The curl line on the page is the one that is printed, at the default port."""
    page = Path(PROJECT).parent / "README.md"
    assert curl_lines(page) == [f"curl 'http://127.0.0.1:4000{TARGET}'"]
