"""A query of an endpoint that reads the files: never answered from the segment."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from offloader.catalog.model import Catalog
from offloader.segment.remote_files import PinnedFile, RemoteFiles
from offloader.service.worker.answer import Query, Response, begin
from offloader.service.worker.cost import is_quick
from offloader.service.worker.generation import Generation, Opened, Served, _Known
from offloader.service.worker.prepare import Request
from offloader.service.worker.response_cache import Kept, ResponseCache
from tests.query.serving import serve

NOW = 1_780_272_000.0
PLAN = serve("n INTEGER", [(1,), (2,)], serving_mode="remote_scan", cache_policy="snapshot").plan
FILES = RemoteFiles((), (PinnedFile("/x", "parquet", "1", 100, 2),))


def generation() -> Generation:
    """Return a generation with one such endpoint, over a segment with rows."""
    catalog = Catalog(False, {}, {"usage": PLAN.endpoint}, ())
    endpoints = {"usage": Served(PLAN.endpoint, PLAN)}
    opened = {"usage": Opened(("k",), PLAN.segment, 1)}
    return Generation(1, catalog, endpoints, {}, {}, {}, {}, opened=opened)


def test_it_is_neither_quick_nor_answered_here() -> None:
    """Also with two rows, without a cache, as plain JSON: what is looked up at once in memory."""
    query = begin(generation(), Request("usage", b""), NOW)
    assert isinstance(query, Query)
    assert (query.is_remote, is_quick(query), query.located.count) == (True, False, 0)
    with pytest.raises(AssertionError):
        query.finish()


def test_a_total_in_one_step_is_none_here() -> None:
    """In memory it would be answered without a query; here the segment's rows do not count."""
    plan = serve("n INTEGER", [(1,), (2,)], select="n sum", serving_mode="remote_scan").plan
    in_memory = replace(plan.endpoint, serving_mode="local_table")
    found = []
    for endpoint in (plan.endpoint, in_memory):
        catalog = Catalog(False, {}, {"usage": endpoint}, ())
        served = Served(endpoint, replace(plan, endpoint=endpoint))
        made = Generation(1, catalog, {"usage": served}, {}, {}, {}, {})
        found.append(type(begin(made, Request("usage", b""), NOW)))
    assert found == [Query, Response]


def test_a_conditional_request_and_a_kept_answer_need_no_files() -> None:
    """They end before the scan."""
    cache = ResponseCache(1 << 20)
    query = begin(generation(), Request("usage", b""), NOW, cache)
    assert isinstance(query, Query)
    known = begin(generation(), Request("usage", b"", if_none_match=query.tag), NOW, cache)
    assert isinstance(known, Response)
    assert known.status == 304
    cache.put(query.tag, query.owner, PLAN.segment.manifest_digest, Kept(b"{}", "a", ""))
    kept = begin(generation(), Request("usage", b""), NOW, cache)
    assert isinstance(kept, Response)
    assert (kept.status, kept.body, kept.cache) == (200, b"{}", "hit")


@pytest.mark.parametrize(
    ("mode", "files", "rows", "is_served"),
    [
        ("remote_scan", FILES, 0, True),
        ("remote_scan", FILES, 2, True),
        ("remote_scan", None, 2, False),
        ("local_table", FILES, 2, True),
        ("local_table", None, 2, True),
        ("local_table", FILES, 0, False),
    ],
)
def test_a_segment_of_the_other_mode_is_not_served(
    mode: str, files: RemoteFiles | None, rows: int, is_served: bool
) -> None:
    """An endpoint in memory never answers from a segment whose rows are in the files alone."""
    plan = serve("n INTEGER", [(1,), (2,)][:rows]).plan
    opened = Opened(("k",), replace(plan.segment, files=files), 1)
    endpoint = replace(plan.endpoint, serving_mode=mode)  # type: ignore[arg-type]
    known = _Known.of(None)
    if is_served:
        assert known.serve(plan.dataset, endpoint, opened).is_remote is (mode == "remote_scan")
    else:
        with pytest.raises(ValueError, match="another serving mode"):
            known.serve(plan.dataset, endpoint, opened)


def test_nothing_is_imported_for_who_scans_nothing() -> None:
    """Neither pyarrow nor a library of a store."""
    heavy = "{'pyarrow', 'google.cloud.storage', 'botocore'} & set(sys.modules)"
    script = f"import sys, offloader.web.apps; sys.exit(str({heavy}) if {heavy} else 0)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
