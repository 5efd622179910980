"""The scripts that publish, run with stand-ins for the registry: what they refuse, and when."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.release.fake_tools import Ran, run_script
from tests.release.workflow import Workflow

IMAGE = "ghcr.io/offloader/offloader"
DIGEST, AMD64, ARM64 = (f"sha256:{letter * 64}" for letter in "daf")
ENVIRON = {
    "IMAGE": IMAGE,
    "VERSION": "1.2.3",
    "DIGEST": DIGEST,
    "AMD64": AMD64,
    "ARM64": ARM64,
    "GITHUB_REF": "refs/tags/v1.2.3",
}
MANIFEST = json.dumps({"digest": DIGEST})
PACKAGES = json.dumps([{"name": str(number)} for number in range(40)])
Answers = list[tuple[str, int, str]]


@pytest.fixture(autouse=True)
def _tools(need: Callable[[str], None]) -> None:
    need("" if shutil.which("jq") and shutil.which("bash") else "there is no jq: install it")


@pytest.mark.parametrize(("found", "code"), [(1, 0), (0, 1)], ids=["new", "released"])
def test_a_released_version_never_changes(tmp_path: Path, found: int, code: int) -> None:
    """A version that the registry has is refused, and nothing is written."""
    ran = _run("Refuse a version", tmp_path, [("inspect", found, "")])
    assert ran == Ran(code, [f"docker buildx imagetools inspect {IMAGE}:1.2.3"])


def test_both_architectures_become_one_digest(tmp_path: Path) -> None:
    """The two digests that were verified are joined, under a tag that is no release."""
    ran = _run("Join both", tmp_path, [("inspect", 0, MANIFEST)])
    assert (ran.code, ran.outputs) == (0, {"digest": DIGEST})
    assert ran.calls[0] == (
        f"docker buildx imagetools create --tag {IMAGE}:candidate-1.2.3"
        f" {IMAGE}@{AMD64} {IMAGE}@{ARM64}"
    )


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ([(".SBOM", 0, PACKAGES), (".Provenance", 0, '{"predicate": 1}')], 0),
        ([('.SBOM "linux/arm64"', 0, "null"), (".SBOM", 0, PACKAGES), (".Pr", 0, '{"a": 1}')], 1),
        (
            [
                (".SBOM", 0, PACKAGES),
                ('.Provenance "linux/arm64"', 0, "null"),
                (".P", 0, '{"a":1}'),
            ],
            1,
        ),
        ([(".SBOM", 0, "[]"), (".Provenance", 0, '{"predicate": 1}')], 1),
        ([(".SBOM", 1, ""), (".Provenance", 0, '{"predicate": 1}')], 1),
    ],
    ids=["both", "no-sbom-of-one", "no-provenance-of-one", "empty-sbom", "registry-fails"],
)
def test_an_image_without_attestations_is_refused(
    tmp_path: Path, answers: Answers, code: int
) -> None:
    """SBOM and provenance must be there for each architecture."""
    assert min(_run("Refuse an image", tmp_path, answers).code, 1) == code


def test_a_digest_is_signed_and_verified(tmp_path: Path) -> None:
    """What is signed is the digest, with its parts, and it is verified for this very tag."""
    ran = _run("Sign", tmp_path, [])
    identity = "https://github.com/offloader/offloader/.github/workflows/release.yml"
    assert ran.calls == [
        f"cosign sign --yes --recursive {IMAGE}@{DIGEST}",
        f"cosign verify --certificate-identity {identity}@refs/tags/v1.2.3"
        " --certificate-oidc-issuer https://token.actions.githubusercontent.com"
        f" {IMAGE}@{DIGEST}",
    ]
    assert _run("Sign", tmp_path, [("verify", 1, "")]).code == 1


def test_the_tag_comes_last(tmp_path: Path) -> None:
    """Publication is the tag, set when all else is done, on the digest that was signed."""
    names = [step.name for step in Workflow("release").steps("publish")]
    assert names[-1].startswith("Publish")
    ran = _run("Publish", tmp_path, [("inspect", 0, MANIFEST)])
    assert ran.code == 0
    assert ran.calls[0] == (f"docker buildx imagetools create --tag {IMAGE}:1.2.3 {IMAGE}@{DIGEST}")
    other = json.dumps({"digest": AMD64})
    assert _run("Publish", tmp_path, [("inspect", 0, other)]).code == 1


def _run(name: str, folder: Path, answers: Answers) -> Ran:
    """Run the step of the job `publish` whose name begins so."""
    steps = Workflow("release").steps("publish")
    (script,) = [step.run for step in steps if step.name.startswith(name)]
    return run_script(script, folder, answers, ENVIRON)
