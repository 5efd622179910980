"""Publish a made-up snapshot of customer usage: one row for each account and day.

    python generate.py [--rows 200000] [--revision 1] [--out data]

The same arguments give the same rows on every machine. More rows mean more accounts over the
same 100 days. Each later revision moves the days on by one: run it again with `--revision 2`
while the service runs, and watch the new snapshot swap in.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet

from offloader.sources.describe import create_manifest

SEED = 20260601
DAYS = 100
FIRST_REVISION_DAY = date(2026, 5, 31)
ROWS_PER_FILE = 50_000
EPOCH = date(1970, 1, 1)
MICROSECONDS_A_DAY = 86_400_000_000
# What an account pays a day and per 1,000 calls, both in cents.
PLAN_CENTS = {"free": (0, 0), "team": (130, 20), "business": (660, 15), "enterprise": (6_600, 9)}
REGIONS = ("us-east", "eu-west", "ap-south")
SDKS = ("python-3.2", "node-5.1", "go-1.9", "java-2.0")
TENANTS = (
    "acme", "borealis", "cobalt", "dunes", "ember", "fjord", "garnet", "harbor", "indigo",
    "juniper", "krypton", "lagoon", "meridian", "nimbus", "onyx", "prairie",
)  # fmt: skip
NAMES = (
    "zephyr", "amber", "basalt", "cedar", "delta", "echo", "falcon", "glacier", "heron", "iris",
    "jade", "kite", "lotus", "maple", "nova", "orchid", "pine", "quartz", "river", "sage",
    "tundra", "umbra", "violet", "willow",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Accounts:
    """What stays the same of every account from day to day; each field has one value each.

    `tenant`, `plan` and `region` are int64 indexes into their names, a region of
    `len(REGIONS)` is unknown. `calls` and `storage_gb` are the float64 means of a day.
    """

    names: pa.Array
    tenant: np.ndarray
    plan: np.ndarray
    region: np.ndarray
    calls: np.ndarray
    storage_gb: np.ndarray


def main(argv: list[str] | None = None) -> int:
    """Write the data files, then the manifest."""
    arguments = _arguments(argv)
    publish(arguments.out, rows=arguments.rows, revision=arguments.revision)
    return 0


def publish(out: Path, *, rows: int, revision: int = 1) -> Path:
    """Publish a snapshot of `rows` rows into the folder `out`; return the manifest's path."""
    last_day = FIRST_REVISION_DAY + timedelta(days=revision - 1)
    watermark = f"{last_day + timedelta(days=1)}T00:00:00Z"
    folder = out / f"r{revision:04d}-{rows}"
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, table in enumerate(make_files(rows, last_day)):
        files.append(folder / f"part-{number:05d}.parquet")
        pa_parquet.write_table(table, files[-1], compression="zstd")
        print(f"{files[-1].name}: {table.num_rows:,} rows", flush=True)
    document = create_manifest(
        out,
        files,
        dataset_id="customer_usage",
        snapshot_id=f"{watermark}_r{revision:04d}",
        created_at=watermark,
        watermark=watermark,
        producer="customer-analytics/generate.py",
        upstream_run_id=f"run-{revision}",
        sort_columns=["usage_date"],
    )
    draft = out / "manifest.json.draft"
    draft.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    manifest = draft.rename(out / "manifest.json")
    print(f"{manifest.name}: {rows:,} rows in {len(files)} files, up to {last_day}")
    return manifest


def make_files(rows: int, last_day: date) -> Iterator[pa.Table]:
    """Yield the tables of all files, oldest day first; together they have exactly `rows` rows."""
    accounts = make_accounts(-(-rows // DAYS))
    count = len(accounts.names)
    days = -(-rows // count)
    days_per_file = max(1, ROWS_PER_FILE // count)
    tables: list[pa.Table] = []
    for back in reversed(range(days)):
        table = make_day(accounts, last_day - timedelta(days=back))
        tables.append(table if back else table.slice(0, rows - (days - 1) * count))
        if len(tables) == days_per_file or not back:
            yield pa.concat_tables(tables).combine_chunks()
            tables = []


def make_accounts(count: int) -> Accounts:
    """Return `count` accounts; the first is acct_zephyr of the tenant acme."""
    random = np.random.Generator(np.random.PCG64([SEED, 0]))
    share = 1.0 / np.arange(1, len(TENANTS) + 1)
    tenant = random.choice(len(TENANTS), size=count, p=share / share.sum())
    tenant[0] = 0
    names = [_account_name(number) for number in range(count)]
    return Accounts(
        names=pa.array(names, pa.string()),
        tenant=tenant,
        plan=random.choice(len(PLAN_CENTS), size=count, p=[0.5, 0.3, 0.15, 0.05]),
        region=random.choice(len(REGIONS) + 1, size=count, p=[0.5, 0.3, 0.19, 0.01]),
        calls=np.rint(random.lognormal(mean=5.5, sigma=1.2, size=count)),
        storage_gb=np.round(random.lognormal(mean=1.0, sigma=1.0, size=count), 3),
    )


def make_day(accounts: Accounts, day: date) -> pa.Table:
    """Return one day of every account; what a day holds depends on nothing but the day."""
    epoch_day = (day - EPOCH).days
    random = np.random.Generator(np.random.PCG64([SEED, epoch_day]))
    count = len(accounts.names)
    weekend = 0.4 if day.weekday() >= 5 else 1.0
    calls = random.poisson(accounts.calls * weekend)
    storage = np.round(accounts.storage_gb * random.normal(1.0, 0.05, count), 3)
    fixed, per_thousand = np.array(list(PLAN_CENTS.values()))[accounts.plan].T
    evening = MICROSECONDS_A_DAY - random.integers(1, MICROSECONDS_A_DAY // 4, count)
    columns = {
        "tenant_id": _words(TENANTS, accounts.tenant),
        "account_id": accounts.names,
        "usage_date": pa.array(np.full(count, epoch_day, np.int32)).cast(pa.date32()),
        "plan": _words(tuple(PLAN_CENTS), accounts.plan),
        "region": _words(REGIONS, accounts.region),
        "api_calls": pa.array(calls, pa.int64()),
        "storage_gb": pa.array(storage, mask=random.random(count) < 0.01),
        "amount": _decimal_cents(fixed + calls * per_thousand // 1000),
        "updated_at": pa.array(epoch_day * MICROSECONDS_A_DAY + evening).cast(
            pa.timestamp("us", "UTC")
        ),
        "attributes": pa.StructArray.from_arrays(
            [
                _words(SDKS, accounts.tenant % len(SDKS)),
                pa.array(random.integers(0, 24, count), pa.int32()),
            ],
            ["sdk", "peak_hour"],
        ),
    }
    return pa.table(columns)


def _account_name(number: int) -> str:
    again, word = divmod(number, len(NAMES))
    return f"acct_{NAMES[word]}_{again}" if again else f"acct_{NAMES[word]}"


def _words(words: tuple[str, ...], indexes: np.ndarray) -> pa.Array:
    """Return words by their index; an index past the last is null."""
    return pa.array(words, pa.string()).take(pa.array(indexes, mask=indexes >= len(words)))


def _decimal_cents(cents: np.ndarray) -> pa.Array:
    """Return int64 cents as DECIMAL(18,2): 16 bytes each, little endian, two's complement."""
    halves = np.stack([cents, cents >> 63], axis=1).astype("<i8")
    return pa.Array.from_buffers(pa.decimal128(18, 2), len(cents), [None, pa.py_buffer(halves)])


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Publish a made-up snapshot of customer usage.")
    parser.add_argument("--rows", type=_at_least_one, default=200_000)
    parser.add_argument("--revision", type=_at_least_one, default=1, help="later ones are newer")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "data")
    return parser.parse_args(argv)


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("give a number of at least 1")
    return number


if __name__ == "__main__":
    raise SystemExit(main())
