"""Row texts follow from the endpoints and their paths, and part ids from what shapes the part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from offloader.catalog.model import Endpoint, Filter, Order, Param, Select
from offloader.catalog.types import parse_type
from offloader.segment.access_path import PartPlan, parts_of
from offloader.segment.row_text_spec import (
    MAX_ROW_TEXTS_PER_DATASET,
    RowTextSpec,
    derive_row_texts,
    row_text_part_id,
)
from tests.segment.test_access_path import COLUMNS, PUBLIC, SNAPSHOT, TENANTS

PLAIN = Endpoint(
    name="plain",
    version=1,
    dataset="usage",
    select=tuple(Select(c.name, c.name) for c in COLUMNS),
    columns=("account", "calls", "extra"),
)
MEMBERS = (("account", "account"), ("calls", "calls"), ("extra", "extra"))


def _asking(*filters: tuple[str, str], order_by: str = "") -> Endpoint:
    """Return the plain endpoint with required filters (column, op) and an order."""
    return replace(
        PLAIN,
        params=tuple(Param(column, "string", required=True) for column, _ in filters),
        filters=tuple(Filter(column, op, column) for column, op in filters),  # type: ignore[arg-type]
        order_by=(Order(order_by),) if order_by else (),
    )


def _order(endpoint: Endpoint, *paths: str, is_public: bool = False) -> str:
    dataset = PUBLIC if is_public else TENANTS
    (spec,) = derive_row_texts(dataset, [endpoint], [tuple(path.split()) for path in paths])
    return " ".join(spec.order)


def _texts(endpoints: Sequence[Endpoint]) -> PartPlan:
    return parts_of(TENANTS, endpoints, SNAPSHOT)


def test_plain_rows_have_texts() -> None:
    """The whole allowlist, in its order, under its aliases."""
    renamed = replace(
        PLAIN, select=(Select("day", "day"), Select("number", "calls")), columns=("number", "day")
    )
    (spec,) = derive_row_texts(PUBLIC, [renamed], [])
    assert spec == RowTextSpec((("number", "calls"), ("day", "day")), ())


@pytest.mark.parametrize(
    "changed",
    [
        {"select": (Select("calls", "calls", "sum"),), "columns": ("calls",)},
        {"group_by": ("account",), "columns": ("account",)},
        {"serving_mode": "remote_scan"},
    ],
)
def test_groups_and_remote_scans_have_none(changed: dict[str, object]) -> None:
    """Rows that are made per request cannot be encoded ahead."""
    assert derive_row_texts(PUBLIC, [replace(PLAIN, **changed)], []) == ()  # type: ignore[arg-type]


def test_the_order_is_that_of_the_most_specific_path() -> None:
    """Of the paths, the one of which the endpoint can use the most columns."""
    lookup = _asking(("account", "eq"), ("day", "gte"))
    assert _order(lookup, "tenant", "tenant account day", "tenant day") == "tenant account day"
    assert _order(lookup, "tenant region", "tenant calls") == "tenant calls"
    assert _order(PLAIN, "tenant account day", "tenant region") == "tenant region"
    assert _order(_asking(("account", "eq"), order_by="calls"), "tenant account calls") == (
        "tenant account calls"
    )


def test_a_path_that_goes_on_serves_as_well() -> None:
    """Where another endpoint has made a path longer, its order still has the rows together."""
    lookup = _asking(("account", "eq"))
    assert _order(lookup, "tenant account day calls", "tenant region") == "tenant account day calls"


def test_without_a_useful_path_base_order_serves() -> None:
    """Paths that begin with a column nobody asks for, or without the tenant, are of no use."""
    lookup = _asking(("account", "eq"), ("region", "ne"))
    assert _order(lookup, "day", "region account", is_public=True) == ""
    assert _order(lookup, "account") == ""
    assert _order(lookup, "account", is_public=True) == "account"


def test_nothing_equal_stands_behind_a_range() -> None:
    """A range ends what a search can use: equal columns behind it do not count."""
    lookup = _asking(("day", "gte"), ("account", "eq"))
    assert _order(lookup, "day account", "account", is_public=True) == "account"


def test_equal_texts_are_shared() -> None:
    """Endpoints that show the same columns in the same order have one part."""
    other = replace(PLAIN, name="other", version=7, description="the same rows", max_limit=5)
    assert len(derive_row_texts(TENANTS, [PLAIN, other], [("tenant",)])) == 1
    assert len(_texts([PLAIN, other]).texts) == 1


def test_the_number_of_texts_is_bounded() -> None:
    """The first endpoints by name have theirs, in whatever order they come."""
    names = ["account", "region", "day", "calls", "extra"]
    endpoints = [replace(PLAIN, name=f"e{n}", columns=(c,)) for n, c in enumerate(names)]
    expected = sorted(names[:MAX_ROW_TEXTS_PER_DATASET])
    for given in (endpoints, endpoints[::-1]):
        specs = derive_row_texts(TENANTS, given, [("tenant",)])
        assert [spec.columns[0][0] for spec in specs] == expected


def test_part_ids_are_the_same_everywhere() -> None:
    """Ids are fixed by manifest, contract and format version: these never change by themselves."""
    spec = RowTextSpec(MEMBERS, ("tenant", "account"))
    assert row_text_part_id("m" * 32, COLUMNS, "tenant", spec) == "95bec9e023bf928b67648fee942cd592"


def test_parts_are_columns_then_paths_then_texts() -> None:
    """`part_ids` lists every part of a segment once."""
    plan = _texts([PLAIN, _asking(("account", "eq"))])
    paths, texts = [i for _, i in plan.paths], [i for _, i in plan.texts]
    assert plan.part_ids == [plan.columns_id, *paths, *texts]
    assert (len(paths), len(texts), len(set(plan.part_ids))) == (1, 1, 3)


def test_a_changed_description_changes_no_part() -> None:
    """What no part's bytes follow from is in no id."""
    changed = replace(PLAIN, description="new", version=2, owner="x", default_limit=1, digest="f")
    assert _texts([changed]) == _texts([PLAIN])


def test_a_new_endpoint_adds_only_its_own_texts() -> None:
    """Parts that a change does not shape keep their ids."""
    new = replace(PLAIN, name="z", columns=("calls",))
    before, after = _texts([PLAIN]), _texts([PLAIN, new])
    assert set(before.part_ids) < set(after.part_ids)
    assert len(after.part_ids) == len(before.part_ids) + 1


@pytest.mark.parametrize(
    "spec",
    [
        RowTextSpec(MEMBERS[:2], ("tenant",)),
        RowTextSpec(MEMBERS[::-1], ("tenant",)),
        RowTextSpec((("other", "account"), *MEMBERS[1:]), ("tenant",)),
        RowTextSpec((("account", "region"), *MEMBERS[1:]), ("tenant",)),
        RowTextSpec(MEMBERS, ("tenant", "day")),
        RowTextSpec(MEMBERS, ()),
    ],
)
def test_what_shapes_texts_changes_their_id(spec: RowTextSpec) -> None:
    """Members, their order, their names, what is behind them, and the order of the rows."""
    same = RowTextSpec(MEMBERS, ("tenant",))
    ids = [row_text_part_id("m" * 32, COLUMNS, "tenant", one) for one in (same, spec)]
    assert ids[0] != ids[1]


def test_a_part_follows_from_its_own_columns() -> None:
    """Types of other columns do not count; those it shows or sorts by, and the manifest, do."""
    spec = RowTextSpec(MEMBERS, ("tenant", "day"))

    def wider(name: str) -> str:
        columns = [replace(c, type=parse_type("DOUBLE")) if c.name == name else c for c in COLUMNS]
        return row_text_part_id("m" * 32, columns, "tenant", spec)

    same = row_text_part_id("m" * 32, COLUMNS, "tenant", spec)
    assert wider("region") == same
    others = {wider("calls"), wider("day"), wider("tenant")}
    others.add(row_text_part_id("n" * 32, COLUMNS, "tenant", spec))
    others.add(row_text_part_id("m" * 32, COLUMNS, None, spec))
    assert len(others | {same}) == 6
