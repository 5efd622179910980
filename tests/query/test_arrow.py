"""Arrow bodies: the contract's types whatever the values, exact values, readable by others."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from offloader.errors import RequestError
from offloader.query.encode_arrow import META_KEY, encode_arrow
from offloader.query.formats import ARROW
from tests.query.formatted import formatted, read_arrow
from tests.query.serving import Served, serve
from tests.segment.tables import Value

EVERY_TYPE = (
    "f BOOLEAN, i INTEGER, b BIGINT, x DOUBLE, d DECIMAL(5,2), w DECIMAL(38,4), s VARCHAR,"
    " day DATE, moment TIMESTAMP, j JSON"
)
SCHEMA = pa.schema(
    [
        ("f", pa.bool_()),
        ("i", pa.int32()),
        ("b", pa.int64()),
        ("x", pa.float64()),
        ("d", pa.decimal128(5, 2)),
        ("w", pa.decimal128(38, 4)),
        ("s", pa.string()),
        ("day", pa.date32()),
        ("moment", pa.timestamp("us", "UTC")),
        ("j", pa.json_(pa.string())),
    ]
)
ROW: tuple[Value, ...] = (
    *(True, -(2**31), 2**63 - 1, 0.1, -5, 10**38 - 1, "é", 20605, 1_780_272_000_000_001),
    '{"a":[1,2.50]}',
)
READ = {
    "f": True,
    "i": -(2**31),
    "b": 2**63 - 1,
    "x": 0.1,
    "d": Decimal("-0.05"),
    "w": Decimal("9" * 34 + ".9999"),
    "s": "é",
    "day": date(2026, 6, 1),
    "moment": datetime(2026, 6, 1, 0, 0, 0, 1, tzinfo=UTC),
    "j": '{"a":[1,2.50]}',
}
NULLS = dict.fromkeys(READ)


def asked(served: Served, query: str = "") -> pa.Table:
    """Return the table of one request."""
    return read_arrow(formatted(served, ARROW, query))


def test_every_type_is_the_contracts() -> None:
    """Schema and values are exact; a null is a null of its type."""
    table = asked(serve(EVERY_TYPE, [ROW, (None,) * 10]))
    assert table.schema.remove_metadata().equals(SCHEMA)
    assert table.to_pylist() == [READ, NULLS]


@pytest.mark.parametrize("rows", [[], [(None,) * 10], [ROW]])
def test_the_schema_does_not_depend_on_the_rows(rows: list[tuple[Value, ...]]) -> None:
    """No rows, only nulls and no null give the same schema, also column by column."""
    served = serve(EVERY_TYPE, rows)
    assert asked(served).schema.remove_metadata().equals(SCHEMA)
    for field in SCHEMA:
        table = asked(served, f"columns={field.name}")
        assert table.schema.remove_metadata().equals(pa.schema([field]))
        assert table.num_rows == len(rows)


def test_duckdb_reads_every_type() -> None:
    """The types that DuckDB sees are the contract's own names."""
    found = asked(serve(EVERY_TYPE, [ROW, (None,) * 10]))
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("found", found)
        described = connection.execute("DESCRIBE found").fetchall()
        assert [kind for _, kind, *_ in described] == [
            *("BOOLEAN", "INTEGER", "BIGINT", "DOUBLE", "DECIMAL(5,2)", "DECIMAL(38,4)"),
            *("VARCHAR", "DATE", "TIMESTAMP WITH TIME ZONE", "JSON"),
        ]
        asked_for = "SELECT * REPLACE (epoch_us(moment) AS moment) FROM found"
        rows = connection.execute(asked_for).fetchall()
    wanted = READ | {"moment": 1_780_272_000_000_001}
    assert rows == [tuple(wanted.values()), (None,) * 10]


AGGREGATES = "v sum s, v avg a, v min low, v max high, v count n, v count_distinct d"


@pytest.mark.parametrize(
    ("contract", "summed"),
    [
        ("INTEGER", pa.int64()),
        ("BIGINT", pa.decimal128(38, 0)),
        ("DOUBLE", pa.float64()),
        ("DECIMAL(5,2)", pa.decimal128(38, 2)),
        ("DECIMAL(38,4)", pa.decimal128(38, 4)),
    ],
)
@pytest.mark.parametrize("values", [[], [None], [1], [2, 3, None]])
def test_aggregates_have_types_of_the_contract(
    contract: str, summed: pa.DataType, values: list[int | None]
) -> None:
    """The type of a sum has room for every sum, and is the same when there is none."""
    served = serve(f"v {contract}", [(value,) for value in values], select=AGGREGATES)
    own = asked(serve(f"v {contract}", [])).schema.field("v").type
    types = [summed, pa.float64(), own, own, pa.int64(), pa.int64()]
    assert asked(served).schema.types == types


def test_sums_beyond_64_bits_are_exact() -> None:
    """Grouped and whole, positive and negative."""
    rows = [("a", 2**63 - 1), ("a", 2**63 - 1), ("b", -(2**63)), ("b", -(2**63)), (None, None)]
    served = serve("k VARCHAR, v BIGINT", rows, select="k, v sum s", group_by="k")
    assert asked(served).to_pylist() == [
        {"k": "a", "s": Decimal(2**64 - 2)},
        {"k": "b", "s": Decimal(-(2**64))},
        {"k": None, "s": None},
    ]
    whole = serve("v INTEGER", [(2**31 - 1,), (2**31 - 1,)], select="v sum s")
    assert asked(whole).to_pylist() == [{"s": 2**32 - 2}]


def test_a_sum_of_39_digits_is_refused() -> None:
    """Arrow's widest common decimal has 38 digits: rather none than a wrong sum."""
    most = 10**38 - 1
    held = serve("v DECIMAL(38,0)", [(most,), (-most,), (most,)], select="v sum s")
    assert asked(held).to_pylist() == [{"s": Decimal(most)}]
    for sign in (1, -1):
        over = serve("v DECIMAL(38,0)", [(sign * most,), (sign,)], select="v sum s")
        assert over.data() == f'[{{"s":{sign * 10**38}}}]'
        with pytest.raises(RequestError) as raised:
            formatted(over, ARROW)
        assert (raised.value.status, raised.value.code) == (406, "not_acceptable")
        assert "send Accept: application/json" in raised.value.message


def test_nan_and_infinities_are_null() -> None:
    """As in every other format; -0.0 stays what it is."""
    rows = [(float("nan"),), (float("inf"),), (None,), (-0.0,), (5e-324,)]
    values = asked(serve("v DOUBLE", rows)).column("v").to_pylist()
    assert [repr(value) for value in values] == ["None", "None", "None", "-0.0", "5e-324"]


def test_texts_keep_their_order_and_repeats() -> None:
    """Texts that lie one after another in the dictionary, that do not, and nulls between."""
    texts = ["b", "", "a", None, "b", "ü", "", None]
    served = serve("v VARCHAR, j JSON", [(t, t and f'"{t}"') for t in texts])
    assert asked(served).column("v").to_pylist() == texts
    assert asked(served, "limit=3&offset=2").column("v").to_pylist() == texts[2:5]
    ordered = serve("v VARCHAR", [(t,) for t in texts], order_by="v")
    shown = ["", "", "a", "b", "b", "ü", None, None]
    assert asked(ordered).column("v").to_pylist() == shown
    nested = asked(served).column("j").to_pylist()
    assert nested == [t and f'"{t}"' for t in texts]


def test_a_json_null_is_not_a_null() -> None:
    """JSON text `null` is a value of its own here, as it is in the source."""
    served = serve("j JSON", [("null",), (None,)])
    assert asked(served).column("j").to_pylist() == ["null", None]


def test_the_metadata_is_the_meta_of_json() -> None:
    """The schema's metadata says what `meta` says, text for text."""
    served = serve("v BIGINT", [(1,), (2,), (3,)], max_staleness_minutes=60.0)
    for query in ("limit=2", "offset=2", "offset=9"):
        for stale in (False, True):
            body = formatted(served, ARROW, query, stale=stale)
            metadata = read_arrow(body).schema.metadata
            assert list(metadata) == [META_KEY.encode()]
            wanted = json.loads(served.body(query, stale=stale))["meta"]
            assert json.loads(metadata[META_KEY.encode()]) == wanted


@pytest.mark.parametrize(
    ("contract", "values", "others"),
    [
        ("BIGINT", [1, 0], [1, 99]),
        ("DOUBLE", [1.5, 0.0], [1.5, np.inf]),
        ("DECIMAL(5,2)", [1, 0], [1, -7]),
        ("BOOLEAN", [1, 0], [1, 1]),
        ("VARCHAR", [0, 0], [0, 1]),
        ("DECIMAL(30,2)", [0, 0], [0, 1]),
    ],
)
def test_what_lies_under_a_null_does_not_show(
    contract: str, values: list[float], others: list[float]
) -> None:
    """Equal rows are equal bytes, whichever row of a group its cells were taken from."""
    stored: dict[str, list[Value]] = {"VARCHAR": ["a", "b"], "BOOLEAN": [True, False]}
    served = serve(f"v {contract}", [(value,) for value in stored.get(contract, [1, 2])])
    valid = np.array([True, False])
    made = [_with_cells(served, np.array(cells), valid) for cells in (values, others)]
    assert made[0] == made[1]
    assert read_arrow(made[0]).column("v").is_valid().to_pylist() == [True, False]


def test_a_double_that_is_no_number_is_null_wherever_it_comes_from() -> None:
    """A cell that claims to be valid is looked at nevertheless, as in JSON."""
    served = serve("v DOUBLE", [(1.0,), (2.0,)])
    table = read_arrow(_with_cells(served, np.array([np.nan, -np.inf]), None))
    assert table.column("v").to_pylist() == [None, None]


def _with_cells(
    served: Served, values: npt.NDArray[Any], valid: npt.NDArray[np.bool_] | None
) -> bytes:
    """Return the body of a page whose only column holds these physical values."""
    result = served.result()
    cells = replace(result.columns[0], values=values, valid=valid)
    page = replace(result, columns=(cells,))
    return encode_arrow(served.plan, served.bound(), page, stale=False)


def test_a_stream_is_one_batch_and_ends() -> None:
    """The end-of-stream marker is there, so that a reader knows nothing was cut off."""
    body = formatted(serve("v BIGINT", [(1,), (2,)]), ARROW)
    assert body.endswith(b"\xff\xff\xff\xff\x00\x00\x00\x00")
    stream = pa.ipc.open_stream(body)
    assert [batch.num_rows for batch in stream] == [2]
