"""`offloader cache status`: what lies on a volume, and which of it is damaged."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from offloader.catalog.manifest import parse_manifest
from offloader.cli.cache_status import Progress, size
from offloader.service.cache import Cache
from offloader.service.instance import claim, state_path
from offloader.service.quarantine import Mark, mark, put_away
from tests.cli.test_cache import answered, called
from tests.service.volumes import aged, digest, served_volume, written
from tests.snapshots import manifest_document

AT_SECONDS = 1_780_272_000.0
AT = "2026-06-01T00:00:00Z"


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return served_volume(tmp_path / "cache")


def flip(path: Path) -> None:
    """Damage a file in its middle."""
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def test_status_says_what_lies_there(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    """Instances, each dataset's states, parts and quarantine, for a person."""
    instance = claim(cache, "pod-a")
    mark(cache, "usage", Mark("s3", digest(3), "wrong numbers", "a1b2", AT_SECONDS))
    written(cache.part("usage", digest(11)))
    put_away(cache, "usage", [digest(11)], "it is damaged", AT_SECONDS)
    aged(state_path(cache, 0), 0.0)
    assert called(cache, "status") == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{cache.root}: 1.2 KiB in parts, ")
    assert lines == [
        "instance 0: running on pod-a, state of 2027-01-15T08:00:00Z",
        "usage: 3 parts, 1.2 KiB, 1 of them (362 bytes) not needed",
        "  instance 0: active s2, previous s1, pin s2, rolled back s3",
        "  1 part missing: built again when it is needed",
        f"  quarantined snapshot s3 since {AT}: wrong numbers",
        f"  put away part {digest(11)} at {AT}: it is damaged",
    ]
    instance.release()


def test_status_as_json(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    """A script reads one object with the same."""
    mark(cache, "usage", Mark("s3", digest(3), "wrong numbers", "a1b2", AT_SECONDS))
    aged(state_path(cache, 0), 0.0)
    assert called(cache, "status", "--json") == 0
    found = answered(capsys)
    assert found.pop("free_bytes") > 0
    assert found["datasets"]["usage"].pop("bytes") == sum(
        path.stat().st_size for path in cache.part("usage", "x").parent.iterdir()
    )
    assert found == {
        "ok": True,
        "cache_dir": str(cache.root),
        "instances": [
            {
                "number": 0,
                "is_running": False,
                "host": "",
                "is_state_readable": True,
                "state_written_at": "2027-01-15T08:00:00Z",
            }
        ],
        "datasets": {
            "usage": {
                "parts": 3,
                "unreferenced": [digest(10)],
                "missing": [digest(22)],
                "states": {
                    "0": {"active": "s2", "previous": "s1", "pin": "s2", "rolled_back": ["s3"]}
                },
                "quarantined_snapshots": [
                    {
                        "snapshot_id": "s3",
                        "manifest_digest": digest(3),
                        "reason": "wrong numbers",
                        "by": "a1b2",
                        "at": AT,
                    }
                ],
                "put_away": [],
            }
        },
        "damaged": None,
    }


def test_verify_finds_every_damaged_file(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    """Parts, manifests and state files; exit 1, and the command that mends it."""
    assert called(cache, "status", "--verify") == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines()[-1] == "verified: every file is what was written"
    assert shown.err.splitlines()[-1] == f"verified 3 of 3: segments/usage/{digest(21)}"
    flip(cache.part("usage", digest(20)))
    written(cache.part("usage", digest(23)), b"")
    written(cache.manifest("usage", digest(2)), b"{}")
    written(state_path(cache, 4), b"{")
    assert called(cache, "status", "--verify", "--json") == 1
    shown = capsys.readouterr()
    found = {one["file"]: one["reason"] for one in json.loads(shown.out)["damaged"]}
    assert set(found) == {
        "state.4.json",
        f"segments/usage/{digest(20)}",
        f"segments/usage/{digest(23)}",
        f"manifests/usage/{digest(2)}",
    }
    assert found[f"segments/usage/{digest(23)}"] == "the file is empty"
    assert len(shown.err.splitlines()) == 4
    assert called(cache, "status", "--verify") == 1
    assert "offloader cache quarantine DATASET --parts-only" in capsys.readouterr().out


def test_a_manifest_must_be_the_one_that_its_name_says(
    cache: Cache, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sound manifest in the place of another one is damage."""
    document = manifest_document("usage", [("name", "VARCHAR")], [])
    raw = json.dumps(document).encode()
    right = cache.keep_manifest("usage", parse_manifest(raw, "manifest").digest, raw)
    assert called(cache, "status", "--verify") == 0
    wrong = written(cache.manifest("usage", digest(2)), raw)
    capsys.readouterr()
    assert called(cache, "status", "--verify") == 1
    lines = capsys.readouterr().out.splitlines()
    assert f"damaged: manifests/usage/{wrong.name}: it is not what it was" in lines
    assert not any(right.name in line for line in lines)


def test_progress_is_one_line_on_a_terminal() -> None:
    """It is written over; the last one ends the line."""
    stream = io.StringIO()
    stream.isatty = lambda: True  # type: ignore[method-assign]
    progress = Progress(stream)
    progress(1, 2, "a")
    progress(2, 2, "b")
    assert stream.getvalue() == "\rverified 1 of 2 parts\rverified 2 of 2 parts\n"


def test_sizes_are_readable() -> None:
    """In the unit that leaves the fewest digits."""
    shown = [size(count) for count in (0, 1023, 1024, 1536 << 20, 5 << 50)]
    assert shown == ["0 bytes", "1023 bytes", "1.0 KiB", "1.5 GiB", "5120.0 TiB"]
