"""docs/release.md and SECURITY.md say what the workflow does."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from offloader import __version__
from tests.docs.markdown import ROOT, blocks, links
from tests.release.workflow import Workflow

PAGE = ROOT / "docs" / "release.md"
SECURITY = ROOT / "SECURITY.md"
ISSUER = "https://token.actions.githubusercontent.com"
OURS = "https://github.com/offloader/offloader/.github/workflows/release.yml@refs/tags/"


@pytest.fixture(scope="module")
def verifications() -> list[list[str]]:
    """The words of each `cosign verify` that the page shows."""
    shell = [block.text for block in blocks(PAGE) if block.language == "sh"]
    shown = [text.replace("\\\n", "") for text in shell if text.startswith("cosign verify")]
    return [shlex.split(text) for text in shown]


def test_a_customer_verifies_what_the_workflow_signs(verifications: list[list[str]]) -> None:
    """One command is for this very version, with the identity that the workflow gets."""
    _, exact = verifications
    assert exact == [
        *("cosign", "verify"),
        *("--certificate-identity", f"{OURS}v{__version__}"),
        *("--certificate-oidc-issuer", ISSUER),
        "$PINNED",
    ]
    (sign,) = [step.run for step in Workflow("release").steps("publish") if "cosign" in step.run]
    assert f'{OURS.removesuffix("refs/tags/")}$GITHUB_REF"' in sign
    assert f"--certificate-oidc-issuer {ISSUER} " in sign


@pytest.mark.parametrize(
    ("identity", "is_ours"),
    [
        (f"{OURS}v0.1.0", True),
        (f"{OURS}v12.34.56rc7", True),
        (f"{OURS}v0.1", False),
        (f"{OURS}v0.1.0-evil", False),
        (OURS.replace("tags", "heads") + "main", False),
        (OURS.replace("release.yml", "ci.yml") + "v0.1.0", False),
        (OURS.replace("offloader/offloader", "offloader/other") + "v0.1.0", False),
        (OURS.replace("github.com", "github-com.example") + "v0.1.0", False),
        ("https://example.com/" + OURS + "v0.1.0", False),
    ],
)
def test_the_pattern_takes_releases_only(
    verifications: list[list[str]], identity: str, is_ours: bool
) -> None:
    """The other command takes every release, and no other workflow, branch or repository."""
    pattern, _ = verifications
    assert pattern[2] == "--certificate-identity-regexp"
    assert pattern[4:] == ["--certificate-oidc-issuer", ISSUER, "$PINNED"]
    # Go's `regexp`, which cosign uses, searches, and reads these characters alike.
    assert bool(re.search(pattern[3], identity)) == is_ours


def test_every_job_is_explained() -> None:
    """The page has a row for each job of the workflow, in their order."""
    rows = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == list(Workflow("release").jobs)


def test_the_page_names_what_is_installed() -> None:
    """The least version of cosign is the one that signs."""
    steps = Workflow("release").steps("publish")
    (version,) = [step.options["cosign-release"] for step in steps if "cosign-" in step.uses]
    assert f"{version.removeprefix('v')} or newer" in PAGE.read_text(encoding="utf-8")


def test_security_leads_to_what_it_promises() -> None:
    """The policy links the model, the supported versions and the form for reports."""
    assert {
        "docs/security-model.md",
        "docs/release.md#supported-versions",
        "docs/release.md#verify-an-image",
        "https://github.com/offloader/offloader/security/advisories/new",
    } <= set(links(SECURITY))


@pytest.mark.parametrize("page", [PAGE, SECURITY], ids=["release", "security"])
def test_named_paths_exist(page: Path) -> None:
    """Each file of the tree that a page names in code marks is there."""
    named = re.findall(r"`([a-z.][\w./-]*/[\w./-]+\.(?:py|yml|md|sh))`", page.read_text("utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []
