"""What a scan reads of a snapshot's files, and what it says when it cannot."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import wait
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Barrier
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet
import pytest

from offloader.catalog.model import FilterOp, Param
from offloader.query.plan import Plan
from offloader.service.worker.refusals import ScanRefused
from offloader.service.worker.scan_reading import Reading
from offloader.sources import scan_groups
from offloader.stores.store import unreachable
from tests.query.serving import Served, serve
from tests.segment.tables import Table, arrow_tables, table
from tests.service.worker.remote_plans import (
    THREADS,
    is_of,
    local_body,
    reading,
    remote_plan,
    scanned,
)
from tests.sources.counted_store import CountedStores

CONTRACT = "tenant VARCHAR, n INTEGER, name VARCHAR, note VARCHAR, score DOUBLE"
ROWS = [
    (f"t{i // 100}", i, f"name_{i % 50:02d}", f"note {i} " + "x" * 400, i / 4) for i in range(1000)
]
GROUP_ROWS = 50


@dataclass(slots=True)
class Asked:
    """An endpoint over files; `stores` counts what is read of them."""

    local: Served
    remote: Plan
    stores: CountedStores
    by: Reading

    def bytes_of(self, query: str = "", tenant: str | None = None) -> int:
        """Ask both ways, compare the bodies; return the bytes that were read of the files."""
        bound = self.local.bound(query)
        self.rest()
        before = self.stores.store.bytes_read
        body, found = scanned(self.remote, bound, tenant, self.by)
        assert body == local_body(self.local.plan, bound, tenant)
        assert found.bytes_read == self.stores.store.bytes_read - before
        return found.bytes_read

    def rest(self) -> None:
        """Wait until the threads of a scan before are done, which it may not have waited for."""
        together = Barrier(THREADS)
        pool = self.by._scanner._pool
        wait([pool.submit(together.wait, 60.0) for _ in range(THREADS)])

    def refused(self, query: str = "", tenant: str | None = None) -> tuple[str, str]:
        """Return the code and the reason of the refusal."""
        with pytest.raises(ScanRefused) as raised:
            self.by.read(self.remote, self.local.bound(query), tenant)
        assert (raised.value.status, raised.value.family) == (503, "busy")
        assert dict(raised.value.headers)["Retry-After"].isdecimal()
        return raised.value.code, raised.value.reason


def write(folder: Path, source: Table, *, files: int = 1, **options: Any) -> list[Path]:
    """Write a table's rows as Parquet files."""
    (whole,) = arrow_tables(source)
    size = -(-len(source.rows) // files)
    paths = [folder / f"part-{number}.parquet" for number in range(files)]
    for number, path in enumerate(paths):
        options = {"row_group_size": GROUP_ROWS, "compression": "none", **options}
        pa_parquet.write_table(whole.slice(number * size, size), path, **options)
    return paths


def asked(
    files: Sequence[Path],
    where: Sequence[tuple[str, FilterOp]] = (),
    limits: dict[str, float] | None = None,
    **fields: Any,
) -> Asked:
    """Serve rows both ways; params are `p0`, `p1` and so on."""
    source = table(CONTRACT, ROWS)
    kinds = {c.name: "integer" if c.name == "n" else "string" for c in source.columns}
    params = [
        (column, op, Param(f"p{number}", kinds[column]))  # type: ignore[arg-type]
        for number, (column, op) in enumerate(where)
    ]
    fields = {"max_limit": 1000, "default_limit": 1000, **fields}
    local = serve(CONTRACT, ROWS, where=params, serving_mode="remote_scan", **fields)
    stores = CountedStores()
    remote = remote_plan(local.plan, source.columns, files)
    return Asked(local, remote, stores, reading(stores, **(limits or {})))


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Write the rows in two files of ten row groups each."""
    return write(tmp_path, table(CONTRACT, ROWS), files=2)


def stored_bytes(files: Sequence[Path]) -> int:
    """Return the bytes of all columns of all files."""
    found = (pa_parquet.read_metadata(path) for path in files)
    groups = (one.row_group(number) for one in found for number in range(one.num_row_groups))
    return sum(
        group.column(place).total_compressed_size
        for group in groups
        for place in range(group.num_columns)
    )


def test_statistics_spare_row_groups(files: list[Path]) -> None:
    """One of twenty row groups is read where the column is sorted, all where it is not."""
    one = asked(files, [("n", "eq"), ("name", "eq")], order_by="n")
    one.bytes_of()  # reads the footers
    whole = one.bytes_of()
    assert whole == pytest.approx(stored_bytes(files), rel=0.05)
    assert one.bytes_of("p0=500") < whole / 15
    assert one.bytes_of("p1=name_07") == whole
    assert one.bytes_of("p0=500&p1=name_07") < whole / 15
    assert one.bytes_of("p0=5000") == 0


def test_only_the_columns_that_are_needed_are_read(tmp_path: Path) -> None:
    """Those shown, filtered and ordered by: a long one between them is left out."""
    rows = [(*row[:3], f"{row[3]}{'y' * 300}", row[4]) for row in ROWS]
    files = write(tmp_path, table(CONTRACT, rows), row_group_size=1000)
    one = asked(files, [("n", "gte")], order_by="name")
    bound = one.local.bound("columns=score&p0=3")
    one.by.read(one.remote, bound, None)
    found = one.by.read(one.remote, bound, None)
    assert is_of(found.segment, ["n", "name", "score"])
    assert found.bytes_read < stored_bytes(files) / 5


def test_a_tenants_rows_are_all_that_is_read(files: list[Path]) -> None:
    """Two of twenty row groups; an unknown tenant, or none, reads nothing at all."""
    one = asked(files, [("n", "gte")], order_by="n", tenant="tenant")
    one.bytes_of(tenant="t3")
    assert one.bytes_of(tenant="t3") < stored_bytes(files) / 8
    assert one.bytes_of(tenant="t33") == 0
    assert one.bytes_of(tenant=None) == 0


def test_coded_columns_are_pruned_too(tmp_path: Path) -> None:
    """Written as a dictionary, a column has statistics that pyarrow does not look at."""
    (whole,) = arrow_tables(table(CONTRACT, ROWS), encoded=True)
    path = tmp_path / "coded.parquet"
    pa_parquet.write_table(whole, path, row_group_size=GROUP_ROWS)
    one = asked([path], order_by="n", tenant="tenant")
    one.bytes_of(tenant="t3")
    assert one.by.read(one.remote, one.local.bound(), "t3").rows_read == 2 * GROUP_ROWS


def test_a_footer_is_read_once(files: list[Path]) -> None:
    """The next scan asks the store for the rows only, and for nothing where there are none."""
    one = asked(files, [("n", "eq")], order_by="n")
    assert one.bytes_of("p0=5000") == sum(min(path.stat().st_size, 65536) for path in files)
    assert one.bytes_of("p0=5000") == 0


def test_the_first_rows_are_enough(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an order a scan ends once it has the page; not when a filter is left to check."""
    monkeypatch.setattr(scan_groups, "FETCHED_BYTES", 1)
    one = asked(files, [("n", "gte"), ("name", "ne")])
    one.bytes_of()  # reads the footers, also of files that a scan then ends before

    def rows_of(query: str) -> int:
        one.bytes_of(query)
        return one.by.read(one.remote, one.local.bound(query), None).rows_read

    assert rows_of("limit=10") == GROUP_ROWS
    assert rows_of("limit=49") == GROUP_ROWS
    assert rows_of("limit=50") == 2 * GROUP_ROWS  # the next row says that there is a next page
    assert rows_of("limit=1&offset=99") == 3 * GROUP_ROWS
    assert rows_of("limit=1&p0=500") == GROUP_ROWS
    assert rows_of("limit=1&p1=name_00") == len(ROWS)


def test_csv_is_read_from_its_beginning(tmp_path: Path) -> None:
    """With the same answers: typed by the manifest, filtered when it is read."""
    path = tmp_path / "rows.csv"
    pa_csv.write_csv(arrow_tables(table(CONTRACT, ROWS))[0], path)
    one = asked([path], [("n", "gte"), ("name", "prefix")], order_by="n")
    assert one.bytes_of("p0=990") == path.stat().st_size
    assert one.bytes_of("p1=name_0&limit=3") > 0
    found = one.by.read(one.remote, one.local.bound("p0=990"), None)
    assert (found.segment.row_count, found.rows_read) == (10, len(ROWS))


def test_aggregates_are_those_of_all_rows(files: list[Path]) -> None:
    """Sums of doubles included, which are added in the order of the source."""
    for select in ("n count, score sum, name max", "name, score sum, note count_distinct"):
        group = "name" if select.startswith("name") else ""
        one = asked(files, [("n", "lt")], select=select, group_by=group, order_by=group)
        for query in ("", "p0=500", "p0=0"):
            one.bytes_of(query)


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"rows": 999}, "scan_too_large"),
        ({"decoded_bytes": 200_000}, "scan_too_large"),
        ({"read_bytes": 350_000}, "scan_too_large"),
        ({"group_bytes": 1000}, "scan_too_large"),
        ({"seconds": -1}, "scan_timeout"),
    ],
)
def test_a_scan_is_bounded(files: list[Path], limits: dict[str, float], code: str) -> None:
    """What is known to be too much is refused before it is fetched."""
    assert asked(files, limits=limits, order_by="n").refused()[0] == code
    generous = {name: value * 3 for name, value in limits.items() if value > 0}
    asked(files, limits={**generous, "group_bytes": 1 << 20}, order_by="n").bytes_of("limit=1")


def test_a_file_that_changed_is_not_read(files: list[Path]) -> None:
    """Neither another one in its place, nor none: the snapshot's version is asked for."""
    one = asked(files, order_by="n")
    one.bytes_of()
    content = files[1].read_bytes()
    files[1].unlink()
    assert one.refused() == ("source_unavailable", "changed")
    files[1].write_bytes(content)
    assert one.refused() == ("source_unavailable", "changed")
    fresh = asked(files, order_by="n")
    fresh.bytes_of()


def test_a_store_that_does_not_answer(files: list[Path]) -> None:
    """The cause is kept for the log; once the store is back, so are the answers."""
    one = asked(files, order_by="n")
    one.stores.store.error = unreachable("file:///", "no route")
    assert one.refused() == ("source_unavailable", "unavailable")
    with pytest.raises(ScanRefused) as raised:
        one.by.read(one.remote, one.local.bound(), None)
    assert "no route" in str(raised.value.__cause__)
    assert "no route" not in raised.value.message
    one.stores.store.error = None
    one.bytes_of()


def test_damage_in_a_page_is_found(tmp_path: Path) -> None:
    """Where the producer wrote page checksums, they are compared."""
    (path,) = write(tmp_path, table(CONTRACT, ROWS), write_page_checksum=True)
    content = bytearray(path.read_bytes())
    content[content.index(b"note 500 xx") + 9] ^= 1
    path.write_bytes(content)
    one = asked([path], order_by="n")
    assert one.refused() == ("source_unavailable", "changed")
    assert one.bytes_of("columns=n") > 0


def test_a_files_column_may_have_another_type_in_each_file(tmp_path: Path) -> None:
    """Conditions are made for each file's own types."""
    source = table(CONTRACT, ROWS)
    files = write(tmp_path, source, files=2)
    read = pa_parquet.read_table(files[1])
    place = read.schema.get_field_index("n")
    narrow = read.set_column(place, "n", read["n"].cast(pa.int16()))
    pa_parquet.write_table(narrow, files[1], row_group_size=GROUP_ROWS)
    one = asked(files, [("n", "gt"), ("n", "lte")], order_by="n")
    one.bytes_of("p0=480&p1=520")
    found = one.by.read(one.remote, one.local.bound("p0=480&p1=520"), None)
    assert (found.segment.row_count, found.rows_read) == (40, 2 * GROUP_ROWS)


def test_an_endpoint_without_its_files_is_a_mistake(files: list[Path]) -> None:
    """It is never answered from the segment."""
    one = asked(files)
    bare = replace(one.remote, segment=replace(one.remote.segment, files=None))
    with pytest.raises(AssertionError):
        one.by.read(bare, one.local.bound(), None)
