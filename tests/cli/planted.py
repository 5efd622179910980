"""A service that runs among planted secrets, and the command that must show none of them."""

from __future__ import annotations

import base64
import io
import json
import shutil
import tarfile
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import yaml

from offloader.cli import support_bundle
from offloader.service.bundle.archive import FOLDER
from offloader.service.state import load_state
from tests.projects import token_hash, usage_project, write_yaml
from tests.service_process import Running, running
from tests.web.secret_hunt import files_below

TENANT, API_TOKEN = "zephyr-industries", "planted-api-token-of-zephyr"
SECRETS = {
    "admin token": "planted-admin-token/1+2=3",
    "S3 key id": "AKIAPLANTEDKEYID0001",
    "S3 secret": "planted/s3/secret+access/key+of=40chars00",
    "S3 session token": "planted-session-token-abcdefghijklmnop==",
    "GCS token": "ya29.planted-gcs-token-0123456789",
    "AWS secret": "planted-aws-secret-of-the-chain-77",
    "proxy login": "planted-proxy-password",
    "tenant": TENANT,
    "key hash": token_hash(API_TOKEN),
    "API token": API_TOKEN,
    "URL query": "planted-signature-of-a-url",
    "URL login": "planted-password-of-a-url",
    "param value": "planted-value-of-account",
    "cookie": "planted-cookie-of-a-session",
    "JSON web token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.planted-signature-part",
}
URL = f"https://me:{SECRETS['URL login']}@host.example/a?X-Sig={SECRETS['URL query']}"


@dataclass(slots=True)
class Planted:
    """A service in whose every place a secret was planted; `inputs` are those places' bytes."""

    service: Running
    root: Path
    environ: dict[str, str]
    log: Path
    inputs: dict[str, bytes] = field(default_factory=dict)


@contextmanager
def planted_service(root: Path) -> Iterator[Planted]:
    """Run a service below a folder, with secrets in its project, environment, cache and log."""
    project = usage_project(root / "project", rows=20, tenants=1).root
    _plant_project(project)
    (root / "gcs-token").write_text(SECRETS["GCS token"])
    settings = {
        "admin_token": SECRETS["admin token"],
        "gcs_auth": "bearer",
        "gcs_token_file": str(root / "gcs-token"),
        "s3_key_id": SECRETS["S3 key id"],
        "s3_secret": SECRETS["S3 secret"],
        "s3_session_token": SECRETS["S3 session token"],
        "workers": "1",
    }
    with running(project, root / "cache", until="ready", **settings) as service:
        service.wait(lambda: service.events("refresh_failed"))
        service.wait(lambda: _is_saved(root / "cache"))
        shutil.copytree(root / "cache", root / "copy")
        _plant_cache(root / "copy")
        yield _planted(service, root, project, settings)


def _is_saved(cache: Path) -> bool:
    """Tell whether the state says what is served, and what failed."""
    known = load_state(cache / "state.json").datasets
    return {"usage", "signed"} <= set(known) and bool(
        known["usage"].active and known["signed"].attempt.code
    )


def _planted(service: Running, root: Path, project: Path, settings: Mapping[str, str]) -> Planted:
    environ = {f"OFFLOADER_{name.upper()}": text for name, text in settings.items()}
    environ |= {
        "OFFLOADER_CONFIG": str(project),
        "OFFLOADER_CACHE_DIR": str(root / "copy"),
        "OFFLOADER_ADMIN_PORT": str(service.admin[1]),
        "OFFLOADER_ACESS_LOG": SECRETS["admin token"],
        "OFFLOADER_S3_ENDPOINT": URL,
        "AWS_SECRET_ACCESS_KEY": SECRETS["AWS secret"],
        "HTTPS_PROXY": f"http://me:{SECRETS['proxy login']}@127.0.0.1:1",
    }
    log = root / "service.log"
    log.write_text("\n".join([*_log_lines(), *map(json.dumps, service.lines)]) + "\n")
    inputs = {f"cache/{name}": raw for name, raw in files_below(root / "copy").items()}
    inputs |= {f"project/{name}": raw for name, raw in files_below(project).items()}
    inputs |= {"environ": json.dumps(environ).encode(), "log": log.read_bytes()}
    inputs["file"] = (root / "gcs-token").read_bytes()
    return Planted(service, root, environ, log, inputs)


def _plant_project(project: Path) -> None:
    """Give the keys' tenant a name, and have a second dataset whose URL is signed."""
    keys = project / "keys" / "keys.yml"
    document = yaml.safe_load(keys.read_text())
    document["keys"][0] |= {"tenant": TENANT, "hash": SECRETS["key hash"]}
    write_yaml(keys, document)
    path = project / "datasets" / "usage.yml"
    dataset = yaml.safe_load(path.read_text())
    coded = base64.b64encode(SECRETS["admin token"].encode()).decode()
    write_yaml(path, {**dataset, "description": f"made with {coded}"})
    url = f"https://127.0.0.1:1/m.json?X-Sig={SECRETS['URL query']}"
    write_yaml(
        project / "datasets" / "signed.yml",
        {**dataset, "id": "signed", "manifest": url, "required": False},
    )


def _plant_cache(cache: Path) -> None:
    """Put signed URLs, logins and more into the kept manifest, and words into the state."""
    (manifest,) = (path for path in (cache / "manifests" / "usage").iterdir() if not path.suffix)
    document = json.loads(manifest.read_text())
    file = document["files"][0]
    document["files"] = [
        {**file, "path": URL, "sha256": "f" * 64},
        {**file, "path": f"gs://bucket/part?sig={SECRETS['URL query']}"},
        {**file, "path": f"part{quote('?sig=' + SECRETS['URL query'])}"},
        {**file, "path": f"tenant={TENANT}/part.parquet", "sha256": SECRETS["key hash"]},
    ]
    document |= {"producer": f"job of {TENANT}", "upstream_run_id": SECRETS["AWS secret"]}
    manifest.write_text(json.dumps({**document, "extra": SECRETS["cookie"]}))
    state = json.loads((cache / "state.json").read_text())
    attempt = state["datasets"]["usage"]["attempt"]
    attempt |= {"message": f"{URL} refused Bearer {API_TOKEN}", "hint": SECRETS["JSON web token"]}
    (cache / "state.json").write_text(json.dumps(state))


def _log_lines() -> list[str]:
    """Return what a log could hold at the worst, ours and that of others."""
    account = SECRETS["param value"]
    request = {"event": "request", "level": "warning", "endpoint": "usage_rows", "status": 500}
    in_fields = {"params": {"account_id": account}, "tenant": TENANT, "account_id": account}
    headers = {"Authorization": f"Bearer {API_TOKEN}", "Cookie": f"s={SECRETS['cookie']}"}
    known = [one for name, one in SECRETS.items() if name in KNOWN]
    coded = [base64.b64encode(f"x{one}y".encode()).decode() for one in known]
    return [
        json.dumps({**request, **in_fields}),
        json.dumps({"event": "x", "message": f"GET /v1/endpoints/usage_rows?account_id={account}"}),
        json.dumps({"event": "x", "headers": headers, "nested": [{"url": URL}]}),
        json.dumps({"event": "x", "traceback": f"ValueError: {URL}\n Bearer {API_TOKEN}"}),
        f'10.0.0.1 "GET /v1/endpoints/usage_rows?account_id={account} HTTP/1.1" 200',
        f"12:00:00 warning request account_id={account} tenant={TENANT} key={SECRETS['key hash']}",
        f"Authorization: Bearer {API_TOKEN}; Cookie: s={SECRETS['cookie']}",
        f"a token {SECRETS['JSON web token']} of somebody",
        *known,
        *coded,
        *(quote(one, safe="") for one in known),
        "2026-06-01T00:00:00Z an old line",
    ]


KNOWN = frozenset(SECRETS) - {"URL query", "URL login", "param value", "cookie", "API token"}
KNOWN -= {"proxy login", "JSON web token"}


def call(environ: Mapping[str, str], *words: str) -> int:
    """Run the command in an environment."""
    parser = ArgumentParser()
    support_bundle.add_parser(parser.add_subparsers())
    return support_bundle.run(parser.parse_args(["support-bundle", *words]), environ)


def unpacked(raw: bytes) -> dict[str, bytes]:
    """Return the files of a bundle by their path."""
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        members = archive.getmembers()
        assert all(member.isfile() and member.name.startswith(f"{FOLDER}/") for member in members)
        found = {}
        for member in members:
            file = archive.extractfile(member)
            assert file is not None
            found[member.name.removeprefix(f"{FOLDER}/")] = file.read()
    return found
