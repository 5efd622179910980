"""The workflows are valid, ask for little, pin what they use, and do things in the right order."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import check_jsonschema
import pytest

from tests.docs.markdown import ROOT
from tests.release.workflow import WORKFLOWS, Step, Workflow, expressions

Need = Callable[[str], None]
NAMES = ("ci", "release")
SCHEMAS = ("vendor.github-workflows", "custom.github-workflows-require-timeout")
READ = {"contents": "read"}
# Least rights, by job: a job that is not here has no business in a workflow.
RIGHTS = {
    ("ci", "check"): READ,
    ("ci", "image"): READ,
    ("release", "version"): READ,
    ("release", "test"): READ,
    ("release", "candidate"): {**READ, "packages": "write"},
    ("release", "publish"): {"packages": "write", "id-token": "write"},
    ("release", "notes"): {"contents": "write"},
}
PINNED = re.compile(r"uses: ([a-z0-9-]+/[a-z0-9-]+)@([0-9a-f]{40}) # (v[0-9]+\.[0-9]+\.[0-9]+)")
ALL = [step for name in NAMES for step in Workflow(name).steps()]


@pytest.fixture(scope="module")
def ci() -> Workflow:
    return Workflow("ci")


@pytest.fixture(scope="module")
def release() -> Workflow:
    return Workflow("release")


def test_these_are_all() -> None:
    """There is a workflow for changes and one for releases; the tests below look at both."""
    assert tuple(path.stem for path in WORKFLOWS) == NAMES


@pytest.mark.parametrize(
    "schema", ["vendor.github-workflows", "custom.github-workflows-require-timeout"]
)
def test_workflows_fit_githubs_schema(schema: str, tmp_path: Path) -> None:
    """Every field is one that GitHub knows and every job has a time limit; faults are found."""
    assert _fits(schema, *WORKFLOWS)
    spoiled = tmp_path / "release.yml"
    text = Workflow("release").text
    spoiled.write_text(text.replace("runs-on:", "run-on:").replace("timeout-minutes:", "x:"))
    assert not _fits(schema, spoiled)


@pytest.mark.parametrize("name", NAMES)
def test_each_job_has_the_least_rights(name: str) -> None:
    """Nothing is granted to a whole workflow, and to each job what it needs."""
    workflow = Workflow(name)
    assert workflow.document["permissions"] == {}
    granted = {(name, job): found["permissions"] for job, found in workflow.jobs.items()}
    assert granted == {key: rights for key, rights in RIGHTS.items() if key[0] == name}


@pytest.mark.parametrize("name", NAMES)
def test_actions_are_pinned_by_commit(name: str) -> None:
    """Each action of others is named by a full commit, with the version that this is."""
    text = Workflow(name).text
    used = re.findall(r"uses: (?!\./)", text)
    assert len(PINNED.findall(text)) == len(used)


def test_an_action_is_pinned_once() -> None:
    """All workflows use one version of an action."""
    pins = {pin for name in NAMES for pin in PINNED.findall(Workflow(name).text)}
    assert sorted(action for action, _, _ in pins) == [
        "actions/checkout",
        "actions/setup-python",
        "docker/login-action",
        "docker/setup-buildx-action",
        "sigstore/cosign-installer",
    ]


def test_no_checkout_keeps_the_token() -> None:
    """What is run from the tree finds no credentials of git."""
    checkouts = [step for step in ALL if step.uses.startswith("actions/checkout@")]
    assert checkouts
    assert {step.options["persist-credentials"] for step in checkouts} == {"false"}


def test_releases_do_not_run_beside_each_other(ci: Workflow, release: Workflow) -> None:
    """One release at a time, and none is cancelled half-way; of a branch the newest run counts."""
    assert release.document["concurrency"] == {"group": "release", "cancel-in-progress": "false"}
    assert ci.document["concurrency"]["group"] == "ci-${{ github.ref }}"


def test_only_a_tag_releases(release: Workflow) -> None:
    """Nothing but a tag that looks like a version starts a release."""
    assert release.document["on"] == {"push": {"tags": ["v*"]}}


def test_the_order_of_a_release(release: Workflow) -> None:
    """Version, tests, candidates that were verified, publication, notes."""
    assert release.needs("test") == {"version"}
    assert release.needs("candidate") == {"version", "test"}
    assert release.needs("publish") == {"version", "test", "candidate"}
    assert release.needs("notes") == {"version", "test", "candidate", "publish"}
    assert release.jobs["publish"]["environment"] == "release"


def test_a_release_passes_what_a_change_does(ci: Workflow, release: Workflow) -> None:
    """The tests of a release are those of the workflow for changes, on every Python."""
    assert release.jobs["test"]["uses"] == "./.github/workflows/ci.yml"
    assert "workflow_call" in ci.document["on"]
    assert ci.jobs["check"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    assert [step.run for step in ci.steps("check")][-1] == ".ci/run"
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'requires-python = ">=3.11,<3.14"' in project


def test_both_architectures_are_built_and_verified(ci: Workflow, release: Workflow) -> None:
    """Each is built on a machine of its own kind, where a fresh instance is verified."""
    for job in (ci.jobs["image"], release.jobs["candidate"]):
        assert job["strategy"]["matrix"]["include"] == [
            {"arch": "amd64", "runner": "ubuntu-24.04"},
            {"arch": "arm64", "runner": "ubuntu-24.04-arm"},
        ]
    # Without an engine it would verify the process, and the image would go unseen.
    assert ci.steps("image")[-1].run.splitlines() == ["docker version", "make deploy-check"]
    assert release.jobs["candidate"]["outputs"].keys() == {"amd64", "arm64"}


def test_a_candidate_has_sbom_and_provenance(release: Workflow) -> None:
    """What is pushed carries both, and no tag."""
    (build,) = [step.run for step in release.steps("candidate") if "buildx build" in step.run]
    assert "--sbom=true --provenance=mode=max" in build
    assert "push-by-digest=true" in build
    assert "--tag" not in build


def test_a_candidate_is_verified_without_credentials(release: Workflow) -> None:
    """The registry's login is gone before the image, or anything of the tree, is run."""
    names = [step.run.partition("\n")[0] for step in release.steps("candidate") if step.run]
    assert names[1:] == [
        "docker logout ghcr.io",
        'make deploy-check DEPLOY_CHECK_ARGS="--image $IMAGE@$DIGEST"',
    ]


def test_no_expression_stands_in_a_script() -> None:
    """Values reach scripts as variables: as text of the script they could be commands."""
    assert [step for step in ALL if expressions(step.run)] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_script_ends_with_its_first_fault(name: str) -> None:
    """The shell is named, so that GitHub adds pipefail: a fault within a pipe counts."""
    assert Workflow(name).document["defaults"] == {"run": {"shell": "bash"}}


def test_scripts_name_what_exists() -> None:
    """Each target of make, script and module that a step runs is there."""
    scripts = "\n".join(step.run for step in ALL)
    targets = re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    named = re.findall(r"\bmake ([a-z-]+)", scripts)
    assert set(named) == {"deploy-check"}
    assert set(named) <= set(targets)
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
    modules = re.findall(r"python3 -m ([a-z_.]+)", scripts)
    assert set(modules) == {"dev.scripts.release_version"}
    assert all((ROOT / f"{module.replace('.', '/')}.py").is_file() for module in modules)


@pytest.mark.parametrize(
    "step",
    [pytest.param(step, id=f"{step.workflow}-{step.job}-{step.name}") for step in ALL if step.run],
)
def test_scripts_pass_shellcheck(step: Step, need: Need) -> None:
    """Each script is sound, as the shell that GitHub runs it with."""
    need("" if shutil.which("shellcheck") else "there is no shellcheck: install it")
    done = subprocess.run(
        ["shellcheck", "--shell=bash", "--severity=style", "-"],
        input=f"set -eo pipefail\n{step.run}",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


def _fits(schema: str, *paths: Path) -> bool:
    arguments = ["--builtin-schema", schema, "--quiet", *map(str, paths)]
    return bool(check_jsonschema.main(arguments, standalone_mode=False) == 0)
