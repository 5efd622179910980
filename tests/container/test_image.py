"""What the image is: small, labelled, the same twice, and complete without what it leaves out."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from offloader import __version__
from tests.container.contained import HARDENED
from tests.container.engine import Engine
from tests.docs.markdown import ROOT

# What lies on the base; docs/image.md says what it is made of.
BUDGET_BYTES = 210_000_000
PACKAGE_BUDGET_BYTES = 6_000_000
CONTEXT = ("LICENSE", "README.md", "pyproject.toml", "requirements.lock", "Dockerfile")
BUILD_SECONDS = 600.0
_LABEL = "org.opencontainers.image"
_IMPORTS = """
import importlib, pkgutil
import offloader
for module in pkgutil.walk_packages(offloader.__path__, "offloader."):
    importlib.import_module(module.name)
print("imported")
"""
_FORMATS = """
import io
import pyarrow as pa, pyarrow.compute as pc, pyarrow.csv as csv, pyarrow.dataset as ds
import pyarrow.parquet as pq, zstandard
table = pa.table({"a": [1, 2, 3], "b": ["x", "y", None]})
for codec in ("none", "snappy", "gzip", "brotli", "lz4", "zstd"):
    sink = io.BytesIO()
    pq.write_table(table, sink, compression=codec)
    assert pq.read_table(io.BytesIO(sink.getvalue())) == table, codec
assert csv.read_csv(io.BytesIO(b"a,b\\n1,x\\n")).num_rows == 1
assert ds.dataset(table).to_table(filter=pc.field("a") > 1).num_rows == 2
assert zstandard.backend == "cext"
print("read")
"""
_CLIENTS = """
import botocore.session, google.cloud.storage
for service in ("s3", "sts", "sso", "sso-oidc", "signin"):
    botocore.session.get_session().create_client(service, region_name="eu-central-1")
print("made")
"""


def _inspected(engine: Engine, image: str) -> Any:
    return json.loads(engine.run("image", "inspect", image))[0]


def _layers(engine: Engine, image: str) -> list[str]:
    """Return the digests of the image's layers, the base's first."""
    layers: list[str] = _inspected(engine, image)["RootFS"]["Layers"]
    return layers


def _own_bytes(engine: Engine, image: str) -> list[int]:
    """Return the sizes of the layers that the Dockerfile adds to its base, the last one first."""
    lines = engine.run(
        *("history", "--no-trunc", "--human=false", "--format", "{{.Size}} {{.CreatedBy}}"), image
    ).splitlines()
    first = next(n for n, line in enumerate(lines) if "PYTHONDONTWRITEBYTECODE" in line)
    sizes = (int(line.split()[0]) for line in lines[:first])
    return [size for size in sizes if size]


def test_it_stays_within_its_budget(engine: Engine, image: str) -> None:
    """Two layers of its own: a release whose dependencies stay adds the small one alone."""
    package, dependencies = _own_bytes(engine, image)
    assert package < PACKAGE_BUDGET_BYTES
    assert package + dependencies < BUDGET_BYTES


def test_it_says_what_it_is(engine: Engine, image: str) -> None:
    """The labels, the ports, the volume, the user and the signal that others rely on."""
    config = _inspected(engine, image)["Config"]
    assert config["Labels"][f"{_LABEL}.version"] == __version__
    assert config["Labels"][f"{_LABEL}.licenses"] == "Apache-2.0"
    assert {f"{_LABEL}.revision", f"{_LABEL}.created"} <= config["Labels"].keys()
    assert sorted(config["ExposedPorts"]) == ["4000/tcp", "4001/tcp"]
    assert list(config["Volumes"]) == ["/var/lib/offloader"]
    assert (config["User"], config["StopSignal"]) == ("10001:0", "SIGTERM")
    assert (config["Entrypoint"], config["Cmd"]) == (["offloader"], ["serve"])


@pytest.mark.parametrize(
    ("code", "said"), [(_IMPORTS, "imported"), (_FORMATS, "read"), (_CLIENTS, "made")]
)
def test_nothing_that_is_used_was_left_out(
    engine: Engine, image: str, code: str, said: str
) -> None:
    """Every module imports, every file format is read, every client is made."""
    options = (*HARDENED, "--network", "none", "--entrypoint", "python")
    assert engine.run("run", "--rm", *options, image, "-Ic", code) == said


def test_no_module_is_compiled_at_a_start(engine: Engine, image: str) -> None:
    """All are there compiled, and their times are not compared: no start reads a source."""
    verbose = ("-v", "-Ic", "import offloader.web.serve, offloader.service.reloader.process")
    done = engine.tried("run", "--rm", *HARDENED, "--entrypoint", "python", image, *verbose)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "matches" in done.stderr
    compiled = [line for line in done.stderr.splitlines() if line.startswith("# code object")]
    assert [line for line in compiled if not line.rstrip("'").endswith(".pyc")] == []


def test_two_builds_make_the_same_layers(engine: Engine, tmp_path: Path) -> None:
    """From another folder, with other times and modes of its files, nothing taken from a cache.

    The wheels are installed once more only with CONTAINER_REBUILD=1: they are locked by hashes.
    """
    first, second = (_copied(tmp_path / name) for name in ("first", "second"))
    for path in (second / "offloader").rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o700 if path.is_dir() else 0o600)
    fresh = ("--no-cache",)
    if not os.environ.get("CONTAINER_REBUILD"):
        if engine.command != "docker":
            pytest.skip("only BuildKit rebuilds some stages; CONTAINER_REBUILD=1 rebuilds all")
        fresh = ("--no-cache-filter=dependencies,package",)
    found = [_built(engine, first), _built(engine, second, *fresh)]
    assert found[0] == found[1]


def _copied(folder: Path) -> Path:
    folder.mkdir()
    for name in CONTEXT:
        shutil.copy(ROOT / name, folder)
    unwanted = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "offloader", folder / "offloader", ignore=unwanted)
    shutil.copytree(ROOT / "dev" / "image", folder / "dev" / "image", ignore=unwanted)
    return folder


def _built(engine: Engine, folder: Path, *options: str) -> list[str]:
    """Build an image from a folder; return the digests of its layers."""
    tag = f"offloader-twice-{folder.name}"
    engine.run("build", *options, "--tag", tag, str(folder), seconds=BUILD_SECONDS)
    try:
        return _layers(engine, tag)
    finally:
        engine.run("rmi", tag)
