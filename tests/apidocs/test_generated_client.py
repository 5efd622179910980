"""A client that a generator makes of /openapi.json calls the service and understands it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from importlib import import_module, invalidate_caches
from pathlib import Path
from typing import Any

import pytest

from tests.apidocs.documented import TOKEN, Documented

PACKAGE = "generated_offloader_client"
GENERATOR = Path(sys.executable).with_name("openapi-python-client")
pytestmark = pytest.mark.skipif(
    not GENERATOR.exists(), reason="openapi-python-client is not installed"
)


@pytest.fixture(scope="module")
def endpoints(
    documented: Documented, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """Generate the client; return the module of each endpoint by name."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "openapi.json").write_bytes(documented.service.ask_admin("/openapi.json").body)
    (folder / "config.yml").write_text("post_hooks: []\n")
    words = ["--path", "openapi.json", "--output-path", PACKAGE, "--config", "config.yml"]
    done = subprocess.run(
        [str(GENERATOR), "generate", *words, "--meta", "none", "--fail-on-warning"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    invalidate_caches()
    names = ("picked", "rows", "totals", "whole")
    yield {name: import_module(f"{PACKAGE}.api.usage.{name}") for name in names}
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]


@pytest.fixture
def client(documented: Documented, endpoints: dict[str, Any]) -> Any:
    made = import_module(f"{PACKAGE}.client")
    return made.AuthenticatedClient(base_url=documented.service.api_url, token=TOKEN)


def test_rows_come_typed(endpoints: dict[str, Any], client: Any) -> None:
    """Every column of every type, exact, with nulls where there are some."""
    answer = endpoints["rows"].sync(client=client, limit=4)
    first, *_, fourth = answer.data
    assert first.to_dict() == {
        "account": "a0",
        "seats": 0,
        "calls": 0,
        "ratio": 0.0,
        "amount": 0.0,
        "is_paid": True,
        "day": "2026-01-01",
        "seen_at": "2026-01-01T00:00:00+00:00",
        "extra": {"row": 0},
    }
    assert (first.day, first.seen_at) == (date(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC))
    assert (fourth.account, fourth.calls, fourth.seats, fourth.day) == ("a1", 3, None, None)
    assert (answer.meta.endpoint, answer.meta.row_count, answer.meta.limit) == ("rows", 4, 4)
    assert (answer.meta.freshness.stale, answer.meta.freshness.max_staleness_minutes) == (True, 90)


def test_params_of_every_type_are_sent(endpoints: dict[str, Any], client: Any) -> None:
    """As the generator writes them, the service reads them."""
    plan = import_module(f"{PACKAGE}.models").RowsPlan
    answer = endpoints["rows"].sync(
        client=client,
        accounts="a0,a1",
        plan=plan.FIRST,
        seats=1,
        least=1,
        ratio=0.25,
        is_paid=False,
        from_day=date(2026, 1, 2),
        until=datetime(2026, 1, 1, 0, 0, 2, tzinfo=UTC),
    )
    assert [(row.account, row.calls) for row in answer.data] == [("a0", 1)]


def test_pages_follow_by_cursor(endpoints: dict[str, Any], client: Any) -> None:
    """Eight rows in pages of five: nothing is sent beside the cursor that it excludes."""
    first = endpoints["rows"].sync(client=client)
    second = endpoints["rows"].sync(client=client, cursor=first.meta.next_cursor)
    assert [row.calls for page in (first, second) for row in page.data] == list(range(8))
    assert (second.meta.next_cursor, second.meta.next_offset) == (None, None)


def test_chosen_columns_leave_the_others_unset(endpoints: dict[str, Any], client: Any) -> None:
    """A row of a request with `columns` is understood, too."""
    answer = endpoints["rows"].sync(client=client, columns="calls", limit=2)
    assert [row.to_dict() for row in answer.data] == [{"calls": 0}, {"calls": 1}]


def test_combinations_hold_although_clients_send_defaults(
    endpoints: dict[str, Any], client: Any
) -> None:
    """`account` alone is one of the sets: the default of `least` is not sent with it."""
    answer = endpoints["picked"].sync(client=client, account="a1")
    assert [row.calls for row in answer.data] == [2, 3]


def test_aggregates_come_typed(endpoints: dict[str, Any], client: Any) -> None:
    """Sums, averages, counts and extremes of the groups; a total over nothing is null."""
    answer = endpoints["totals"].sync(client=client)
    assert [row.to_dict() for row in answer.data][1] == {
        "account": "a1",
        "calls_sum": 5,
        "seats_sum": 2,
        "amount_sum": 0.02,
        "ratio_sum": 0.5,
        "calls_avg": 2.5,
        "last_day": "2026-01-03",
        "first_seen": "2026-01-01T00:00:02+00:00",
        "days": 1,
        "plans": 1,
    }
    nothing = endpoints["whole"].sync(client=client, account="nobody")
    assert [row.to_dict() for row in nothing.data] == [{"calls_sum": None, "rows": 0}]


def test_refusals_come_typed(
    documented: Documented, endpoints: dict[str, Any], client: Any
) -> None:
    """Code, param and request id of a refusal; a 304 has no body."""
    refused = endpoints["rows"].sync(client=client, limit=7, x_request_id="mine")
    assert (refused.error.code, refused.error.param) == ("out_of_range", "limit")
    assert refused.meta.request_id == "mine"
    stranger = type(client)(base_url=documented.service.api_url, token="wrong")
    assert endpoints["rows"].sync(client=stranger).error.family.value == "unauthorized"
    tag = endpoints["rows"].sync_detailed(client=client).headers["etag"]
    same = endpoints["rows"].sync_detailed(client=client, if_none_match=tag)
    assert (same.status_code, same.parsed) == (304, None)
