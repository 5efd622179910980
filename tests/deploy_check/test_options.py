"""How the gate is called: options, variables, all problems at once, https, a public API."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import pytest
import trustme

from tests.deploy_check.front import front
from tests.deploy_check.gate import Gate, gate_for
from tests.deploy_check.site import KEY, OLD_ENDPOINT, Site, now
from tests.docs.markdown import ROOT, blocks
from tests.projects import publish, usage_project, usage_table, write_yaml
from tests.service_process import running

NOTHING = Gate(Path("/nowhere"), {})


def test_all_problems_are_told_at_once() -> None:
    """Exit 2; a line each says what to give; nothing is asked."""
    done = NOTHING.run("--max-age=soon", "--api-url", "ftp://host", "--ready-timeout", "0")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().splitlines() == [
        "deploy-check: --api-url must be http(s)://host:port, without user and query",
        "deploy-check: --ready-timeout must be whole seconds, at least 1",
        "deploy-check: --max-age must be whole seconds, at least 1",
        "deploy-check: --endpoint is missing: name one endpoint to call",
        "deploy-check: --admin-token-file is missing: give it, or set DEPLOY_CHECK_ADMIN_TOKEN",
        "deploy-check: --key-file is missing: give it, or set DEPLOY_CHECK_KEY",
        "deploy-check: see --help",
    ]


@pytest.mark.parametrize(
    ("words", "environ", "problem"),
    [
        (["--wrong"], {}, "an argument is none of the options that --help lists"),
        (["stray"], {}, "an argument is none of the options that --help lists"),
        (["--timeout"], {}, "--timeout needs a value: SECONDS"),
        (["--public=1"], {}, "--public takes no value"),
        ([], {"public": "yes"}, "--public must be set by 1"),
        ([], {"public": "1"}, "with --public there is no key: leave one of them out"),
        ([], {"query": "a=b c"}, "--query must be percent-encoded, as in a URL"),
        ([], {"query": 'a="\n'}, "--query must be percent-encoded, as in a URL"),
        ([], {"endpoint": "../x"}, "--endpoint must be the name of an endpoint"),
        ([], {"api_url": "http://user:word@127.0.0.1"}, "--api-url must be http(s)://host:port"),
        ([], {"api_url": "http://127.0.0.1:1/?a"}, "--api-url must be http(s)://host:port"),
        ([], {"api_url": "http://127.0.0.1:1/\n-o x"}, "--api-url must be http(s)://host:port"),
        ([], {"api_url": "http://127.0.0.1:4001"}, "--api-url and --admin-url are the same"),
        ([], {"snapshot_id": "a b"}, "--snapshot-id must be the id of a snapshot"),
        ([], {"max_bytes": "10"}, "--max-bytes must be from 1000 to 99999999 bytes"),
        ([], {"key": "a\nb"}, "--key-file and DEPLOY_CHECK_KEY hold one line of at most 4096"),
        ([], {"key": "a" * 4097}, "--key-file and DEPLOY_CHECK_KEY hold one line of at most 4096"),
        ([], {"key_file": "/x"}, "DEPLOY_CHECK_KEY and --key-file are both set"),
        ([], {"key": None, "key_file": "/x"}, "--key-file names nothing: can it be read"),
        ([], {"ca_file": "/nowhere/ca.pem"}, "--ca-file cannot be read"),
        ([], {"json": "/nowhere/x.json"}, "--json cannot be written"),
    ],
)
def test_a_wrong_option_is_told(
    words: list[str], environ: dict[str, str | None], problem: str
) -> None:
    """Exit 2, and a line that says which option and what it takes."""
    right = {"endpoint": "usage", "admin_token": "token", "key": "key"}
    done = NOTHING.run(*words, **{**right, **environ})
    assert (done.returncode, done.stdout) == (2, b"")
    first, *_, last = done.stderr.decode().splitlines()
    assert first.startswith(f"deploy-check: {problem}")
    assert last == "deploy-check: see --help"


def test_an_option_wins_over_its_variable(served: Site) -> None:
    """Both forms of an option do, with `=` and without."""
    wrong = {"endpoint": "no_such", "snapshot_id": "s0009"}
    words = ("--endpoint", "usage_by_account", "--snapshot-id=s0002")
    checked = served.gate.check(*words, **wrong)
    assert (checked.exit_code, checked.failures) == (0, [])
    assert (checked.summary["endpoint"], checked.summary["stale"]) == ("usage_by_account", False)


def test_the_summary_may_go_to_the_standard_output(served: Site) -> None:
    """One line of JSON there, and the lines on the standard error."""
    done = served.gate.run("--json", "-")
    document = json.loads(done.stdout)
    assert (done.returncode, document["ok"], document["failed"]) == (0, True, 0)
    lines = done.stderr.decode().splitlines()
    assert len(lines) == len(document["checks"]) + 1
    counts = f"{document['passed']} passed, 0 failed, 0 skipped, {document['seconds']} s"
    assert lines[-1] == f"deploy-check passed: {counts}"
    first = {"family": "readiness", "check": "ready", "result": "passed"}
    assert document["checks"][0].items() >= first.items()


def test_the_page_shows_the_summary(served: Site) -> None:
    """The object on the page has the fields of a real one, and those of a check, in their order."""
    page = next(
        block for block in blocks(ROOT / "docs" / "deploy-check.md") if block.language == "json"
    )
    shown, written = json.loads(page.text), served.gate.check(endpoint=OLD_ENDPOINT).summary
    assert list(shown) == list(written)
    assert [list(shown["checks"][0])] * len(written["checks"]) == [*map(list, written["checks"])]
    stale = next(one for one in written["checks"] if one["check"] == "fresh")
    assert {**stale, "came": ""} == {**shown["checks"][0], "came": ""}


def test_https_is_trusted_by_the_given_certificates_only(served: Site, tmp_path: Path) -> None:
    """With --ca-file it passes; without, nothing is sent and the line says why."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    service = served.service
    with (
        front(service.api, tls=context) as api,
        front(service.admin, tls=context) as admin,
    ):
        urls = {"api_url": api, "admin_url": admin}
        checked = served.gate.check(ca_file=str(tmp_path / "ca.pem"), **urls)
        assert (checked.exit_code, checked.failures) == (0, [])
        checked = served.gate.check(ready_timeout="1", **urls)
    assert checked.exit_code == 10
    assert "came no TLS, or a certificate that is not trusted;" in checked.failures[0]


def test_a_public_api_needs_no_key(tmp_path: Path) -> None:
    """With --public it passes, the check of a wrong key is skipped, and says so."""
    project = usage_project(tmp_path / "project", rows=100)
    publish(project, usage_table(100), "s0002", watermark=now())
    write_yaml(project.root / "offloader.yml", {"version": 1, "auth": "none"})
    for path in (*project.root.glob("endpoints/*.yml"), project.root / "datasets" / "usage.yml"):
        lines = path.read_text().replace("tenant_column: tenant_id\n", "")
        path.write_text(lines.replace("tenant:\n  column: tenant_id\n", ""))
    with running(project.root, tmp_path / "cache", workers="1") as service:
        urls = service.api_url, service.admin_url
        gate = gate_for(tmp_path, *urls, KEY, "usage_by_account")
        checked = gate.check("--public", key=None)
    assert (checked.exit_code, checked.failures) == (0, [])
    assert "skip  endpoint wrong_key: the API takes no key" in checked.lines
