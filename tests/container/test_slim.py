"""What is taken out of the packages: nothing a loader reads, and never in silence."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import xxhash._xxhash as library

from dev.image import finish, slim

PLACES = (
    "some/tests/test_it.py",
    "some/it.pyx",
    "pyarrow/libarrow_flight.so.1",
    "pyarrow/libarrow_s3.so.1",
    "pyarrow/libarrow_python.so",
    "pyarrow/libarrow_python.so.1.0.0",
    "zstandard/_cffi.so",
    "numpy/f2py/it.py",
    "bin/it",
    "setuptools/it.py",
    "botocore/data/ec2/it.json",
)
KEPT = (
    "some/it.py",
    "pyarrow/libarrow.so.1",
    "pyarrow/libarrow_python.so.1",
    "botocore/data/s3/it.json",
    "botocore/data/endpoints.json",
)


def _packages(folder: Path) -> Path:
    for name in (*PLACES, *KEPT):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"some text")
    shutil.copy(library.__file__, folder / "whole.so")
    return folder


def test_what_is_named_goes_and_the_rest_stays(tmp_path: Path) -> None:
    """Files, folders and other services; libraries keep what a loader reads, and still load."""
    root = _packages(tmp_path)
    assert slim.main([str(root)]) == 0
    left = {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()}
    assert left == {*KEPT, "whole.so"}
    name = Path(library.__file__).name
    (root / "whole.so").rename(root / name)
    content = (root / name).read_bytes()
    assert len(content) == slim.loaded_bytes(content) < Path(library.__file__).stat().st_size
    code = "import sys; sys.path[:] = sys.argv[1:] + sys.path; import _xxhash"
    hashed = "print(_xxhash.__file__, _xxhash.xxh64_hexdigest(b''))"
    done = subprocess.run(
        [sys.executable, "-Ic", f"{code}; {hashed}", str(root)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(root / name), "ef46db3751d8e999"]


def test_a_group_that_finds_nothing_stops_the_build(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dependency that moved its files is named, instead of making the image grow."""
    root = _packages(tmp_path)
    (root / "pyarrow" / "libarrow_flight.so.1").unlink()
    assert slim.main([str(root)]) == 1
    assert "nothing found of: pyarrow: Flight" in capsys.readouterr().err


def test_a_tree_is_finished_the_same_on_any_day(tmp_path: Path) -> None:
    """One time for every file, and compiled modules that name the place they will be at."""
    trees = [tmp_path / name for name in ("first", "second")]
    for tree in trees:
        module = tree / "opt" / "it.py"
        module.parent.mkdir(parents=True)
        module.write_text(
            "NAMES = {'a', 'b', 'c'}\n\n\ndef known(name):\n    return name in NAMES\n"
        )
        os.utime(module, (len(tree.name), len(tree.name)))
        command = [sys.executable, finish.__file__, str(tree)]
        subprocess.run(command, env={"PYTHONHASHSEED": "0"}, check=True)
        refused = subprocess.run(command, env={}, capture_output=True, check=False)
        assert refused.returncode == 1
        assert {p.stat().st_mtime for p in tree.rglob("*")} == {finish.FILE_SECONDS}
    (first,), (second,) = (list(tree.rglob("*.pyc")) for tree in trees)
    assert first.read_bytes() == second.read_bytes()
    assert b"/opt/it.py" in first.read_bytes()
    assert str(tmp_path).encode() not in first.read_bytes()
