"""Documents become a catalog: exact values, stable digests, and no exception but ConfigError."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offloader.catalog.documents import parse_documents
from offloader.catalog.model import (
    Column,
    DatabricksSource,
    Endpoint,
    Filter,
    Guards,
    Key,
    Order,
    Param,
    Select,
)
from offloader.catalog.types import ColumnType, Kind
from offloader.errors import ConfigError
from tests.catalog.project_documents import (
    DELETE,
    FLIGHTS,
    HASH_1,
    HASH_2,
    KEYS,
    PROJECT,
    ROWS,
    SUMMARY,
    USAGE,
    found_in,
    public_documents,
    valid_documents,
    with_change,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


def endpoint_of(**changes: object) -> Endpoint:
    """Return the `rows` endpoint of a valid project, some fields replaced or deleted."""
    documents = valid_documents()
    for name, value in changes.items():
        with_change(documents, ROWS, (name,), value)
    return parse_documents(documents).endpoints["rows"]


def places(document: object, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the place of every value of a document."""
    found = [at]
    if isinstance(document, dict):
        found += [p for name, value in document.items() for p in places(value, (*at, name))]
    if isinstance(document, list):
        found += [p for i, value in enumerate(document) for p in places(value, (*at, i))]
    return found


def test_a_dataset_is_read_exactly() -> None:
    """Every field of a dataset file arrives in the model."""
    usage = parse_documents(valid_documents()).datasets["usage"]
    assert (usage.id, usage.description) == ("usage", "Calls by account and day")
    assert usage.columns[6] == Column("amount", ColumnType(Kind.DECIMAL, 18, 2))
    assert [column.name for column in usage.columns][:2] == ["tenant_id", "account"]
    assert (usage.tenant_column, usage.manifest) == ("tenant_id", "data/manifest.json")
    assert (usage.source, usage.refresh_interval_seconds, usage.required) == (None, 5.0, True)
    assert usage.guards == Guards(1, 50.0, 200.5, 1440.0, ("account", "day"), ("tenant_id",))
    assert usage.pin == "2026-06-01T00:00:00Z_r0007"
    flights = parse_documents(valid_documents()).datasets["flights"]
    assert flights.source == DatabricksSource("gs://lake", "out", 60.0)
    assert (flights.manifest, flights.required, flights.guards) == (None, False, Guards())


def test_an_endpoint_is_read_exactly() -> None:
    """Every field of an endpoint file arrives in the model, typed and in order."""
    summary = parse_documents(valid_documents()).endpoints["summary"]
    assert summary == Endpoint(
        name="summary",
        version=2,
        dataset="usage",
        select=(
            Select("account", "account"),
            Select("total", "calls", "sum"),
            Select("extras", "extra", "count"),
        ),
        columns=("account", "total"),
        owner="analytics",
        description="Totals by account",
        serving_mode="local_table",
        tenant_column="tenant_id",
        max_staleness_minutes=120.0,
        params=(
            Param("account", "string", required=True, max_length=32),
            Param("plan", "enum", False, "pro", ("free", "pro"), aliases={"paid": "pro"}),
            Param("from_day", "date", min=18262, max=22279),
            Param("least", "integer", default=0, min=0, max=1000),
            Param("ratios", "number"),
        ),
        combinations=(
            frozenset({"account"}),
            frozenset({"account", "from_day", "ratios"}),
            frozenset({"account", "plan"}),
        ),
        filters=(
            Filter("account", "eq", "account"),
            Filter("account", "ne", "plan"),
            Filter("day", "gte", "from_day"),
            Filter("calls", "gt", "least"),
            Filter("ratio", "in", "ratios"),
        ),
        group_by=("account",),
        order_by=(Order("total", descending=True), Order("account")),
        default_limit=20,
        max_limit=200,
        cache_policy="snapshot",
        digest=summary.digest,
    )


def test_an_endpoint_has_defaults() -> None:
    """What an endpoint leaves out is the contract's default."""
    rows = endpoint_of()
    assert rows.columns == ("account", "calls", "extra")
    assert (rows.default_limit, rows.max_limit, rows.cache_policy) == (50, 100, "none")
    assert (rows.max_staleness_minutes, rows.combinations, rows.order_by) == (None, (), ())
    assert (rows.owner, rows.description, rows.serving_mode) == ("", "", "local_table")


def test_a_default_limit_left_out_stays_below_the_highest() -> None:
    """An author who sets max_limit alone need not repeat it."""
    assert endpoint_of(pagination={"max_limit": 20}).default_limit == 20
    assert endpoint_of(pagination={"max_limit": 2000}).default_limit == 50


def test_keys_are_read_exactly() -> None:
    """A key's expiry is in seconds, its grants are a set, and status defaults to active."""
    catalog = parse_documents(valid_documents())
    assert catalog.auth_required
    assert catalog.keys == (
        Key("acme_2026", HASH_1, "acme", frozenset({"summary", "rows"}), True, 1893456000.0),
        Key("ops", HASH_2, None, frozenset()),
    )
    revoked = with_change(valid_documents(), KEYS, ("keys", 0, "status"), "revoked")
    assert not parse_documents(revoked).keys[0].is_active


def test_a_public_project_has_no_keys() -> None:
    """auth: none needs no keys file."""
    catalog = parse_documents(public_documents())
    assert (catalog.auth_required, catalog.keys) == (False, ())
    assert catalog.endpoints["rows"].tenant_column is None


def test_the_revision_is_of_the_documents_alone() -> None:
    """Key order does not change the revision, any value does."""
    documents = valid_documents()
    revision = parse_documents(documents).revision
    turned = {name: documents[name] for name in reversed(documents)}
    assert parse_documents(turned).revision == revision
    assert len(revision) == 32
    with_change(documents, USAGE, ("description",), "")
    assert parse_documents(documents).revision != revision


def test_a_digest_changes_with_what_can_change_a_body() -> None:
    """Owner, description and cache policy leave ETags alone; the query and its limits do not."""
    digest = endpoint_of().digest
    assert endpoint_of(owner="me", description="x", cache={"policy": "snapshot"}).digest == digest
    changed = [
        endpoint_of(version=2),
        endpoint_of(serving_mode="remote_scan"),
        endpoint_of(freshness={"max_staleness_minutes": 1}),
        endpoint_of(columns=["calls"]),
        endpoint_of(pagination={"max_limit": 99}),
        endpoint_of(combinations=[[], ["begins"], ["is_paid", "since"]]),
    ]
    assert len({digest, *(endpoint.digest for endpoint in changed)}) == 7


def test_digests_are_the_same_on_every_host() -> None:
    """A digest is pinned: changing how it is made changes every ETag in the field."""
    assert endpoint_of().digest == "fc9dc645cb782aad527e89107f055929"


@pytest.mark.parametrize("file", [PROJECT, USAGE, FLIGHTS, SUMMARY, ROWS, KEYS])
def test_any_value_anywhere_is_taken_or_refused(file: str) -> None:
    """Each value of a valid project replaced by each of several kinds raises ConfigError alone."""
    documents = valid_documents()
    files = {**documents["datasets"], **documents["endpoints"]}
    document = {**files, PROJECT: documents["project"], KEYS: documents["keys"]}[file]
    for place in places(document)[1:]:
        for value in (DELETE, None, True, -1, 2**70, 0.5, "", "x\0", "/..", [], [[1]], {"a": 1}):
            with suppress(ConfigError):
                parse_documents(with_change(deepcopy(valid_documents()), file, place, value))


@settings(max_examples=200)
@given(JSON)
def test_any_documents_are_taken_or_refused(document: object) -> None:
    """JSON-like documents of any shape raise ConfigError alone."""
    for name in ("project", "datasets", "endpoints", "keys"):
        with pytest.raises(ConfigError):
            parse_documents({**valid_documents(), name: document, "extra": document})
    found_in({**valid_documents(), "datasets": {USAGE: document}, "endpoints": {ROWS: document}})
    if isinstance(document, dict):
        found_in(document)


def test_a_worker_needs_no_yaml() -> None:
    """Importing the parser of documents imports neither YAML nor pyarrow."""
    program = (
        "import sys, offloader.catalog.documents;"
        "print([name for name in ('yaml', 'pyarrow', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("[]\n", 0)


def test_parsing_is_quick() -> None:
    """67 endpoints take well under 200 ms: every worker parses them at each swap."""
    documents = valid_documents()
    for number in range(65):
        copied = deepcopy(documents["endpoints"][SUMMARY])
        documents["endpoints"][f"endpoints/e{number}.yml"] = {**copied, "name": f"e{number}"}
    started = time.thread_time()
    assert len(parse_documents(documents).endpoints) == 67
    assert time.thread_time() - started < 0.2
