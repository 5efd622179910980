"""Access paths follow from the endpoints, and part ids from what shapes the part."""

from __future__ import annotations

from dataclasses import replace

import pytest

from offloader.catalog.manifest import Manifest
from offloader.catalog.model import (
    Column,
    Dataset,
    Endpoint,
    Filter,
    FilterOp,
    Order,
    Param,
    Select,
)
from offloader.catalog.types import parse_type
from offloader.segment.access_path import (
    PartPlan,
    PathSpec,
    columns_part_id,
    derive_paths,
    parts_of,
    path_part_id,
)

COLUMNS = tuple(
    Column(name, parse_type(text))
    for name, text in [
        ("tenant", "VARCHAR"),
        ("account", "VARCHAR"),
        ("region", "VARCHAR"),
        ("day", "DATE"),
        ("calls", "INTEGER"),
        ("extra", "JSON"),
    ]
)
TENANTS = Dataset("usage", COLUMNS, tenant_column="tenant")
PUBLIC = Dataset("usage", COLUMNS)


SNAPSHOT = Manifest(
    dataset_id="usage",
    snapshot_id="r0001",
    created_at=0,
    watermark=0,
    columns=COLUMNS,
    files=(),
    partition_columns=(),
    sort_columns=(),
    row_count=0,
    size_bytes=0,
    producer="test",
    upstream_run_id="1",
    schema_version="1",
    data_quality_status="passed",
    compatibility_policy="additive_only",
    digest="m" * 32,
)


def endpoint(
    filters: str = "",
    *,
    required: str = "",
    defaults: str = "",
    combinations: tuple[str, ...] = (),
    order_by: str = "",
) -> Endpoint:
    """Make an endpoint of filters such as `account:eq day:gte`, one param per filter."""
    parsed = [entry.split(":") for entry in filters.split()]
    ops: dict[str, FilterOp] = {
        "eq": "eq",
        "gte": "gte",
        "in": "in",
        "ne": "ne",
        "prefix": "prefix",
    }
    params = tuple(
        Param(name, "string", required=name in required.split(), default="x" if d else None)
        for name, d in dict.fromkeys((name, name in defaults.split()) for name, _ in parsed)
    )
    return Endpoint(
        name="e",
        version=1,
        dataset="usage",
        select=tuple(Select(c.name, c.name) for c in COLUMNS),
        columns=tuple(c.name for c in COLUMNS),
        params=params,
        combinations=tuple(frozenset(names.split()) for names in combinations),
        filters=tuple(Filter(name, ops[op], name) for name, op in parsed),
        order_by=(Order(order_by),) if order_by else (),
    )


def paths(dataset: Dataset, *endpoints: Endpoint) -> list[str]:
    """Return the derived paths as texts."""
    return [" ".join(spec.columns) for spec in derive_paths(dataset, endpoints)]


def test_a_tenant_dataset_always_has_a_tenant_path() -> None:
    """Even without an endpoint, a tenant's rows can be found."""
    assert paths(TENANTS) == ["tenant"]
    assert paths(TENANTS, endpoint()) == ["tenant"]


def test_a_public_dataset_without_filters_has_no_path() -> None:
    """Nothing to find, nothing to build."""
    assert paths(PUBLIC, endpoint()) == []


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        pytest.param("account:eq", "tenant account", id="equality behind the tenant"),
        pytest.param("account:eq day:gte", "tenant account day", id="a range behind equality"),
        pytest.param("day:gte account:eq", "tenant account day", id="whatever the filters' order"),
        pytest.param("account:prefix", "tenant account", id="a prefix is a range"),
        pytest.param("day:in", "tenant day", id="a list stands where a range would"),
        pytest.param("region:in day:gte", "tenant region day", id="a list goes before a range"),
        pytest.param("region:in account:eq", "tenant account region", id="but behind one value"),
        pytest.param("calls:gte day:gte", "tenant calls", id="one range, the contract's first"),
        pytest.param("account:ne", "tenant", id="ne has no order to use"),
        pytest.param("account:eq account:gte", "tenant account", id="each column once"),
        pytest.param("extra:eq", "tenant", id="JSON is in no path"),
        pytest.param("tenant:eq", "tenant", id="the tenant once"),
    ],
)
def test_required_params_make_one_path(filters: str, expected: str) -> None:
    """Tenant, then the equal columns, then one column with a range."""
    names = " ".join(entry.split(":")[0] for entry in filters.split())
    assert paths(TENANTS, endpoint(filters, required=names)) == [expected]


def test_every_subset_of_optional_equalities_gets_a_path() -> None:
    """Each way to call an endpoint is one search, unless a longer path already serves it."""
    found = paths(TENANTS, endpoint("account:eq region:eq day:gte"))
    assert found == [
        "tenant account day",
        "tenant account region day",
        "tenant day",
        "tenant region day",
    ]
    assert paths(TENANTS, endpoint("account:eq region:eq")) == [
        "tenant account region",
        "tenant region",
    ]


def test_a_default_binds_its_param() -> None:
    """A param with a default is equal to something in every request."""
    assert paths(TENANTS, endpoint("account:eq day:gte", defaults="account")) == [
        "tenant account day"
    ]


def test_combinations_are_the_only_ways() -> None:
    """Exact sets of params are allowed, so only their paths are built; defaults still count."""
    ways = endpoint(
        "account:eq region:eq calls:eq day:gte",
        combinations=("account", "region day"),
        defaults="calls",
    )
    assert paths(TENANTS, ways) == ["tenant account calls", "tenant region calls day"]


def test_the_order_comes_behind_the_equal_columns() -> None:
    """Without a range, rows lie in the order the endpoint answers in."""
    assert paths(PUBLIC, endpoint("account:eq", required="account", order_by="day")) == [
        "account day"
    ]
    assert paths(PUBLIC, endpoint(order_by="day")) == ["day"]
    assert paths(PUBLIC, endpoint(order_by="extra")) == []


def test_an_aggregate_has_no_use_for_its_order() -> None:
    """Groups are ordered after they are made."""
    totals = replace(endpoint(order_by="calls"), select=(Select("calls", "calls", "sum"),))
    assert paths(PUBLIC, totals) == []


def test_a_remote_scan_has_no_path() -> None:
    """Endpoints that read the snapshot's files use no segment."""
    assert paths(PUBLIC, replace(endpoint("account:eq"), serving_mode="remote_scan")) == []


def test_who_reads_the_files_has_a_files_part() -> None:
    """Beside what the other endpoints need, which stays as it is."""
    local, remote = endpoint("account:eq"), replace(endpoint("day:gte"), serving_mode="remote_scan")
    before, both = (
        parts_of(TENANTS, [local], SNAPSHOT),
        parts_of(TENANTS, [local, remote], SNAPSHOT),
    )
    assert (before.files_id, before.is_remote_only) == (None, False)
    assert (both.files_id is None, both.is_remote_only) == (False, False)
    assert both.part_ids == [*before.part_ids, both.files_id]


def test_where_all_read_the_files_no_rows_are_built() -> None:
    """A columns part of another id, and neither paths nor row texts."""
    remote = replace(endpoint("account:eq"), serving_mode="remote_scan")
    found = parts_of(TENANTS, [remote], SNAPSHOT)
    assert found.is_remote_only
    assert found.part_ids == [found.columns_id, found.files_id]
    assert found.columns_id == columns_part_id(SNAPSHOT.digest, COLUMNS, "tenant", is_empty=True)
    assert found.columns_id != columns_part_id(SNAPSHOT.digest, COLUMNS, "tenant")


def test_equal_manifests_at_two_places_have_two_files_parts() -> None:
    """For what they point to lies at two places."""
    remote = replace(endpoint("account:eq"), serving_mode="remote_scan")
    here, there = (
        parts_of(replace(TENANTS, manifest=f"gs://{bucket}/m.json"), [remote], SNAPSHOT)
        for bucket in ("one", "two")
    )
    assert here.files_id != there.files_id
    assert here.columns_id == there.columns_id


def test_paths_do_not_depend_on_the_order_of_endpoints() -> None:
    """The same endpoints have the same paths."""
    one, two = endpoint("account:eq"), endpoint("region:eq")
    assert paths(TENANTS, one, two) == paths(TENANTS, two, one, one)


def test_part_ids_are_the_same_everywhere() -> None:
    """Ids are fixed by manifest, contract and format version: these never change by themselves."""
    spec = PathSpec(("tenant", "account"))
    assert columns_part_id("m" * 32, COLUMNS, "tenant") == "5888976273385cf851de12352303d745"
    assert path_part_id("m" * 32, COLUMNS, "tenant", spec) == "8d48fd9a4228888b40c9be0995681463"


def test_a_new_endpoint_builds_only_its_own_path() -> None:
    """Parts that a change does not shape keep their ids."""
    before = parts_of(TENANTS, [endpoint("account:eq", required="account")], SNAPSHOT)
    more = [endpoint("account:eq", required="account"), endpoint("day:gte")]
    after = parts_of(TENANTS, more, SNAPSHOT)
    assert after.columns_id == before.columns_id
    assert set(before.paths) < set(after.paths)


def test_a_new_column_keeps_the_paths() -> None:
    """A path part follows from the columns it sorts by, not from all of them."""
    narrower = replace(TENANTS, columns=COLUMNS[:-1])
    before, after = parts_of(narrower, [], SNAPSHOT), parts_of(TENANTS, [], SNAPSHOT)
    assert after.paths == before.paths
    assert after.columns_id != before.columns_id


@pytest.mark.parametrize(
    "plan",
    [
        parts_of(TENANTS, [], replace(SNAPSHOT, digest="n" * 32)),
        parts_of(replace(TENANTS, tenant_column="account"), [], SNAPSHOT),
    ],
)
def test_what_shapes_a_part_changes_its_id(plan: PartPlan) -> None:
    """Another manifest or another tenant column is another segment."""
    same = parts_of(TENANTS, [], SNAPSHOT)
    assert plan.columns_id != same.columns_id
    assert plan.paths[0][1] != same.paths[0][1]


def test_a_wider_type_in_the_snapshot_is_another_part() -> None:
    """INTEGER in the contract, BIGINT in the files: what is stored follows the files."""
    wider = tuple(
        replace(c, type=parse_type("BIGINT")) if c.name == "calls" else c for c in COLUMNS
    )
    before, after = (
        parts_of(TENANTS, [], SNAPSHOT),
        parts_of(TENANTS, [], replace(SNAPSHOT, columns=wider)),
    )
    assert after.columns_id == columns_part_id(SNAPSHOT.digest, wider, "tenant")
    assert (after.columns_id == before.columns_id, after.paths == before.paths) == (False, True)
