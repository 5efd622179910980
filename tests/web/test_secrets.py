"""Credentials appear nowhere: not in what is printed, answered or kept, nor in command lines."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import trustme

from dev.emulators import gcs_emulator, s3_emulator
from dev.emulators.fault_proxy import FaultProxy, fault_proxy
from dev.emulators.fault_rules import NONE, Fault
from tests import service_process
from tests.http_replies import ask
from tests.projects import UsageProject, usage_dataset, usage_project, usage_rows, write_yaml
from tests.service_process import Running, refused, running
from tests.web.secret_hunt import files_below, forms, leaks, watched_commands

SECRETS = {
    "GCS token": "gcs-bearer+/Kx7vQ2mZp9Lr4TnWc8Yd",
    "S3 key id": "AKIAHUNTED7QXZ5M3VPL",
    "S3 secret": "s3secret/Hf6Ub+Wk9Rt2Ey7Qo4Pz1Xc8Vn3",
    "S3 session token": "s3session//Jd5Gh+Lm0Sa8Fk3Zx6Cv9Bn2Qw",
    "admin token": "admin-token-Tg4Bn7Yh1Um8Ik5Ol",
    "URL signature": "9f3c7e1ab84d26f05e7c9b1d3a8f6e42",
    "URL credential": "signer%2F20261123%2Fauto%2Fhunted-request",
}
BUCKET = "bucket"
DATASETS = ("usage", "of_s3", "of_https")
SECONDS = 60.0
# A refusal that repeats what it heard, as stores do: the service must not repeat it again.
FAULTS: Mapping[str, Fault] = {
    "store_denied": Fault(status=403, echo=True),
    "store_busy": Fault(status=500, echo=True),
    "store_unreachable": Fault(drop=True),
}


@dataclass(frozen=True, slots=True)
class Hunt:
    """A service with a secret in every credential, and a proxy before each of its stores."""

    service: Running
    proxies: tuple[FaultProxy, ...]
    cache: Path
    stdout: Path

    def codes(self) -> dict[str, str]:
        """Return the code of each dataset's last attempt."""
        datasets = self.document("/diagnostics")["datasets"]
        attempts = {name: one["last_attempt"] for name, one in datasets.items()}
        return {name: one["code"] for name, one in attempts.items() if one and one["code"]}

    def await_codes(self, codes: Mapping[str, str]) -> None:
        """Wait until these are the codes of the datasets' last attempts."""
        self.service.wait(lambda: self.codes() == codes, SECONDS)

    def unheard(self) -> list[str]:
        """Return the secrets that no store was sent: who is not told cannot repeat it."""
        heard = b"\n".join(proxy.heard for proxy in self.proxies)
        unsent = ("S3 secret", "admin token")  # the first only signs
        return [name for name in SECRETS if name not in unsent and not _is_in(name, heard)]

    def document(self, route: str) -> Any:
        """Return what an admin route says to who has the token."""
        return self.ask(route).document

    def ask(self, route: str) -> Any:
        """Ask the admin port with the token."""
        key = {"Authorization": f"Bearer {SECRETS['admin token']}"}
        return ask(self.service.admin, route, key)

    def shown(self) -> dict[str, bytes]:
        """Return all that the service shows now and what it printed so far."""
        routes = ("/diagnostics", "/status", "/metrics", "/ready", "/", "/docs", "/openapi.json")
        found = {route: self.ask(route).body for route in routes}
        found |= {f"API {path}": self.service.ask(path).body for path in ("/", "/v1/endpoints/x")}
        found["stderr"] = json.dumps(self.service.lines).encode()
        found["stderr, unescaped"] = repr(self.service.lines).encode()
        found["stdout"] = self.stdout.read_bytes()
        return found


def _is_in(name: str, heard: bytes) -> bool:
    return any(form in heard for form in forms(SECRETS[name]))


def signed(url: str) -> str:
    """Return a URL as who signs it writes it."""
    return f"{url}?X-Cred={SECRETS['URL credential']}&X-Signature={SECRETS['URL signature']}"


@pytest.fixture
def hunt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hunt]:
    stdout = tmp_path / "stdout"
    wrapper = tmp_path / "offloader"
    wrapper.write_text(f'#!/bin/sh\nexec "{service_process.OFFLOADER}" "$@" >>"{stdout}"\n')
    wrapper.chmod(0o755)
    monkeypatch.setattr(service_process, "OFFLOADER", str(wrapper))
    with ExitStack() as stack:
        gcs, s3 = emulators = (
            stack.enter_context(gcs_emulator()),
            stack.enter_context(s3_emulator()),
        )
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority = trustme.CA()
        authority.issue_cert("127.0.0.1").configure_cert(tls)
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        proxies = (
            stack.enter_context(fault_proxy(gcs.url)),
            stack.enter_context(fault_proxy(s3.url)),
            stack.enter_context(fault_proxy(s3.url, tls)),
        )
        project = _project(tmp_path / "project", proxies[2].url)
        for emulator in emulators:
            emulator.make_bucket(BUCKET)
            emulator.put_folder(BUCKET, "data", project.manifest_path.parent)
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxies[0].url)
        service = stack.enter_context(
            running(project.root, tmp_path / "cache", until="live", **_environ(proxies))
        )
        yield Hunt(service, proxies, tmp_path / "cache", stdout)


def _project(root: Path, https_url: str) -> UsageProject:
    """Write a project with a dataset of each kind of store; the last one's files are signed, too.

    The server behind `https_url` is that of s3://, where any object has such a URL.
    """
    project = usage_project(root, rows=50)
    manifest = json.loads(project.manifest_path.read_text(encoding="utf-8"))
    served_at = f"{https_url}/{BUCKET}/data"
    places = {
        "usage": f"gs://{BUCKET}/data/manifest.json",
        "of_s3": f"s3://{BUCKET}/data/of_s3.json",
        "of_https": signed(f"{served_at}/of_https.json"),
    }
    for name, url in places.items():
        dataset = {**usage_dataset(), "id": name, "manifest": url, "required": False}
        write_yaml(root / "datasets" / f"{name}.yml", dataset)
    for name in ("of_s3", "of_https"):
        endpoint = {**usage_rows(), "name": f"rows_{name}", "dataset": name}
        write_yaml(root / "endpoints" / f"{name}.yml", endpoint)
        files = [dict(file) for file in manifest["files"]]
        if name == "of_https":
            files = [{**file, "path": signed(f"{served_at}/{file['path']}")} for file in files]
        document = {**manifest, "dataset_id": name, "files": files}
        path = project.manifest_path.with_name(f"{name}.json")
        path.write_text(json.dumps(document), encoding="utf-8")
    return project


def _environ(proxies: tuple[FaultProxy, ...]) -> dict[str, str]:
    return {
        "gcs_auth": "bearer",
        "gcs_token": SECRETS["GCS token"],
        "s3_endpoint": proxies[1].url,
        "s3_region": "us-east-1",
        "s3_key_id": SECRETS["S3 key id"],
        "s3_secret": SECRETS["S3 secret"],
        "s3_session_token": SECRETS["S3 session token"],
        "segment_store": f"s3://{BUCKET}/segments",
        "admin_token": SECRETS["admin token"],
        "https_hosts": f"127.0.0.1:{proxies[-1].address[1]}",
        "log_level": "debug",
        "access_log": "all",
        "workers": "1",
    }


def test_no_secret_is_shown_whatever_fails(hunt: Hunt) -> None:
    """Nor kept in the state: stores refuse, repeat the credentials, break off and recover."""
    with watched_commands(hunt.service.mark) as commands:
        for code, fault in FAULTS.items():
            for proxy in hunt.proxies:
                proxy.set(fault)
            hunt.await_codes(dict.fromkeys(DATASETS, code))
            assert hunt.unheard() == []
            assert leaks(SECRETS, hunt.shown()) == []
        for proxy in hunt.proxies:
            proxy.set(NONE)
        hunt.await_codes({})
        assert leaks(SECRETS, hunt.shown()) == []
    kept = {name: text for name, text in files_below(hunt.cache).items() if not _is_copy(name)}
    assert "state.json" in kept
    assert leaks(SECRETS, kept) == []
    assert any(b"offloader.service" in command for command in commands)
    assert leaks(SECRETS, {"a command line": b"\n".join(commands)}) == []


def _is_copy(name: str) -> bool:
    """Tell whether a file of the cache is the producer's own manifest, signatures and all."""
    return name.startswith("manifests/")


def test_a_config_that_cannot_be_fetched_tells_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start fails with lines that name the bucket and no credential."""
    with s3_emulator() as emulator, fault_proxy(emulator.url) as proxy:
        emulator.make_bucket(BUCKET)
        with proxy.during(Fault(status=403, echo=True)):
            environ = {**_environ((proxy, proxy)), "config": f"s3://{BUCKET}/project"}
            code, lines = refused(tmp_path, tmp_path / "cache", **environ)
    assert code != 0
    assert any(f"s3://{BUCKET}" in line for line in lines)
    assert leaks(SECRETS, {"stderr": "\n".join(lines).encode()}) == []


@pytest.mark.parametrize("written", ["plain", "percent", "json", "base64", "hex"])
def test_the_hunt_finds_what_it_looks_for(written: str) -> None:
    """However a secret is written, in the middle of other text, it is found."""
    secret = SECRETS["S3 secret"]
    shown = {
        "plain": secret,
        "percent": quote(secret, safe=""),
        "json": json.dumps(secret),
        "base64": base64.b64encode(f"user:{secret}!".encode()).decode(),
        "hex": secret.encode().hex(),
    }[written]
    assert leaks({"it": secret}, {"a log": f"before {shown} after".encode()}) == ["it in a log"]
    assert leaks({"it": secret}, {"a log": b"before and after"}) == []
    assert len(forms(secret)) > 5
