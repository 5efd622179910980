"""Find a row range by packed key, and by a sorted table of xxh3-64 hashes: ratio in one run.

The hash table needs one entry per way to bind a prefix, answers no range and no order, and each
hit must be compared with the real key. The packed key is one table for all of them.
"""

from __future__ import annotations

import argparse
import struct
import time
from collections.abc import Callable

import numpy as np
import xxhash

from dev.bench.rounds import in_turns, middle, spread
from offloader.segment.path_view import KeyColumn, PathView

TENANTS, ACCOUNTS = 500, 50_000


def main() -> int:
    """Print both lookups' median time and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=1_000_000, help="distinct (tenant, account)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lookups", type=int, default=20_000, help="lookups a round")
    args = parser.parse_args()
    random = np.random.default_rng(1)
    pairs = np.unique(random.integers(0, TENANTS * ACCOUNTS, args.keys))
    tenants, accounts = pairs // ACCOUNTS, pairs % ACCOUNTS
    asked = random.integers(0, len(pairs), args.lookups)
    wanted = list(zip(tenants[asked].tolist(), accounts[asked].tolist(), strict=True))

    began = time.perf_counter()
    path = _packed(tenants, accounts)
    packed_seconds = time.perf_counter() - began
    began = time.perf_counter()
    find_hashed = _hashed(tenants, accounts)
    hashed_seconds = time.perf_counter() - began
    assert all(path.find(key)[0] == find_hashed(key) for key in wanted[:1000])

    found = in_turns(
        {
            "packed key": lambda: _time(path.find, wanted),
            "xxh3-64 table": lambda: _time(find_hashed, wanted),
        },
        args.rounds,
    )
    print(f"{len(pairs):,} keys, {args.lookups:,} lookups a round, {args.rounds} rounds")
    for name, seconds in (("packed key", packed_seconds), ("xxh3-64 table", hashed_seconds)):
        print(f"  {name:14} lookup {spread(found[name], 'µs')}   table made in {seconds:.3f} s")
    ratio = middle(found["packed key"]) / middle(found["xxh3-64 table"])
    print(
        f"  ratio packed / hashed: lookup {ratio:.2f}, making {packed_seconds / hashed_seconds:.3f}"
    )
    return 0


def _packed(tenants: np.ndarray, accounts: np.ndarray) -> PathView:
    bits = (ACCOUNTS - 1).bit_length()
    high = (TENANTS - 1).bit_length()
    key = (
        KeyColumn("tenant", False, 0, TENANTS - 1, False, high, bits),
        KeyColumn("account", False, 0, ACCOUNTS - 1, False, bits, 0),
    )
    keys = np.sort(tenants.astype(np.uint64) << np.uint64(bits) | accounts.astype(np.uint64))
    names = ("tenant", "account")
    return PathView(names, names, len(keys), key, keys, None, None)


def _hashed(tenants: np.ndarray, accounts: np.ndarray) -> Callable[[tuple[int, int]], int]:
    pack, digest = struct.Struct("<qq").pack, xxhash.xxh3_64_intdigest
    pairs = zip(tenants.tolist(), accounts.tolist(), strict=True)
    hashes = np.fromiter((digest(pack(*pair)) for pair in pairs), np.uint64, len(tenants))
    order = np.argsort(hashes, kind="stable")
    ordered, positions = hashes[order], order.astype(np.uint32)

    def find(key: tuple[int, int]) -> int:
        wanted = np.uint64(digest(pack(*key)))
        at = int(ordered.searchsorted(wanted))
        row = int(positions[at])
        if (int(tenants[row]), int(accounts[row])) != key:
            raise KeyError(key)
        return row

    return find


def _time(find: Callable[[tuple[int, int]], object], wanted: list[tuple[int, int]]) -> float:
    """Return microseconds a lookup."""
    began = time.perf_counter()
    for key in wanted:
        find(key)
    return (time.perf_counter() - began) / len(wanted) * 1e6


if __name__ == "__main__":
    raise SystemExit(main())
