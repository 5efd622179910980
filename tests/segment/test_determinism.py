"""The same rows make the same bytes: on every process, thread count and cut of tables."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

_BUILD = """
import sys
from pathlib import Path
from tests.segment.tables import arrow_tables, build_files, small_steps, table, texts_of

folder, threads, step = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
rows = [
    (f"t{n * 7 % 5}", f"ä{n * 31 % 97}", n * 13 % 50 or None, n / 7, n * 10**20, '{"n":%d}' % n)
    for n in range(2000)
]
source = table(
    "tenant VARCHAR, account VARCHAR, day DATE, cost DOUBLE, total DECIMAL(38,2), extra JSON",
    rows,
    "tenant",
)
tables = arrow_tables(source, range(0, 2000, step), encoded=step % 2 == 0)
paths = [("tenant", "account", "day"), ("day", "cost"), ("tenant",)]
texts = [texts_of(source), texts_of(source, "day", "cost")]
options = {"tables": tables, "texts": texts, "threads": threads}
if step == 500:
    with small_steps():
        build_files(folder, source, paths, **options)
else:
    build_files(folder, source, paths, **options)
"""


def _digests(folder: Path, hash_seed: int, threads: int, step: int) -> dict[str, str]:
    subprocess.run(
        [sys.executable, "-c", _BUILD, str(folder), str(threads), str(step)],
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
        cwd=Path(__file__).parents[2],
        check=True,
    )
    return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in folder.iterdir()}


@pytest.mark.parametrize(("hash_seed", "threads", "step"), [(1, 2, 333), (2, 4, 500), (3, 2, 2)])
def test_two_builders_make_the_same_bytes(
    tmp_path: Path, hash_seed: int, threads: int, step: int
) -> None:
    """Hash seed, threads, how tables are cut and encoded: none of it shows in any part."""
    one = _digests(tmp_path / "one", 0, 1, 2000)
    two = _digests(tmp_path / "two", hash_seed, threads, step)
    paths = {"path-tenant-account-day", "path-day-cost", "path-tenant"}
    assert set(one) == {"columns", *paths, "texts-0", "texts-1"}
    assert one == two
