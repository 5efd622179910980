"""What a support bundle holds of a service in whose every place a secret was planted: none."""

from __future__ import annotations

import io
import json
import stat
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.cli.planted import SECRETS, Planted, call, planted_service, unpacked
from tests.web.secret_hunt import leaks


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    with planted_service(tmp_path_factory.mktemp("planted")) as made:
        yield made


@pytest.fixture(scope="module")
def bundle(planted: Planted) -> dict[str, bytes]:
    target = planted.root / "bundle.tar.gz"
    assert call(planted.environ, "--out", str(target), "--log", str(planted.log)) == 0
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    return unpacked(target.read_bytes())


def test_no_planted_secret_is_in_it(planted: Planted, bundle: Mapping[str, bytes]) -> None:
    """In no file and no name of one: not as it is, not percent-encoded, in hex or in base64."""
    planted_at = leaks(SECRETS, planted.inputs)
    assert {line.partition(" in ")[0] for line in planted_at} == set(SECRETS)
    names = "\n".join(bundle).encode()
    assert leaks(SECRETS, {**bundle, "names of files": names}) == []


def test_what_helps_is_in_it(planted: Planted, bundle: Mapping[str, bytes]) -> None:
    """Each file is there, and explained in the README."""
    (manifest,) = (path for path in bundle if path.startswith("cache/manifests/usage/"))
    assert set(bundle) == {
        *("README.txt", "doctor.txt", "doctor.json", "versions.json", manifest),
        *("environment/settings.json", "environment/machine.json", "config/project.json"),
        *(f"instance/{name}.json" for name in ("ready", "status", "diagnostics")),
        *("instance/metrics.txt", "cache/listing.json", "cache/state.json", "logs/1.log"),
    }
    page = bundle["README.txt"].decode()
    assert all(f"\n{path}: " in page for path in bundle if path != "README.txt")
    told = json.loads(bundle["instance/diagnostics.json"])
    assert told["status"] == 200
    assert told["document"]["datasets"]["usage"]["active"]["snapshot_id"] == "s0001"
    assert b"\noffloader_up 1.0\n" in bundle["instance/metrics.txt"]
    shown = json.loads(bundle[manifest])
    assert (shown["snapshot_id"], shown["row_count"]) == ("s0001", 20)
    assert shown["files"][0]["sha256"] == "f" * 64
    assert shown["fields_left_out"] == 1


def test_the_config_is_kept_but_for_its_keys(bundle: Mapping[str, bytes]) -> None:
    """Params and all; a key is a number and what it may call."""
    project = json.loads(bundle["config/project.json"])
    params = project["endpoints"]["endpoints/usage_rows.yml"]["params"]
    assert [param["name"] for param in params] == ["account_id", "region", "from_date"]
    assert params[1]["aliases"] == {"europe": "eu"}
    assert project["datasets"]["datasets/signed.yml"]["manifest"] == (
        "https://127.0.0.1:1/m.json?[redacted]"
    )
    assert project["keys"] == [
        {
            "number": 1,
            "has_tenant": True,
            "endpoints": ["usage_by_account", "usage_rows"],
            "status": "active",
            "expires_at": None,
        }
    ]


def test_of_secrets_only_whether_they_are_set(bundle: Mapping[str, bytes]) -> None:
    """Other variables are shown, those that are refused or not known only by name."""
    shown: dict[str, Any] = json.loads(bundle["environment/settings.json"])
    variables = shown["variables"]
    assert [variables[f"OFFLOADER_{name}"] for name in ("ADMIN_TOKEN", "GCS_TOKEN")] == ["set"] * 2
    assert variables["OFFLOADER_WORKERS"] == "1"
    assert variables["OFFLOADER_S3_ENDPOINT"] == "set, and refused"
    assert variables["OFFLOADER_S3_REGION"] == "unset (the standard chain)"
    assert shown["unknown"] == ["OFFLOADER_ACESS_LOG"]
    assert shown["of_other_software"]["AWS_SECRET_ACCESS_KEY"] == "set"
    assert shown["of_other_software"]["AWS_PROFILE"] == "unset"


def test_the_log_is_still_a_log(planted: Planted, bundle: Mapping[str, bytes]) -> None:
    """What the service wrote of itself stands there, line by line."""
    lines = bundle["logs/1.log"].decode().splitlines()
    assert len(lines) == len(planted.log.read_text().splitlines())
    first = json.loads(lines[0])
    assert (first["event"], first["endpoint"], first["status"]) == ("request", "usage_rows", 500)
    failed = [json.loads(line) for line in lines if '"refresh_failed"' in line]
    assert failed[0]["dataset"] == "signed"
    assert failed[0]["code"] == "address_private"


def test_old_lines_are_left_out(planted: Planted) -> None:
    """With --since; the log may be stdin, and the bundle a stream."""
    target = planted.root / "since.tar.gz"
    words = ("--out", str(target), "--log", str(planted.log), "--since", "2026-07-01T00:00:00Z")
    assert call(planted.environ, *words) == 0
    assert b"an old line" not in unpacked(target.read_bytes())["logs/1.log"]


def test_stdin_and_stdout(
    planted: Planted, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """`kubectl logs … | offloader support-bundle --log - --out - > bundle.tar.gz`."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"one\ntwo\n")))
    assert call(planted.environ, "--log", "-", "--out", "-") == 0
    assert unpacked(capfdbinary.readouterr().out)["logs/1.log"] == b"one\ntwo\n"
