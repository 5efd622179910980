"""A release is refused unless tag, package, changelog and examples say the same version."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dev.scripts.release_version import IMAGE, Named, changes, image_names, problems
from offloader import __version__
from tests.docs.markdown import ROOT

LATEST = "latest"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree from which v1.2.3 can be released."""
    _write(tmp_path, "offloader/__init__.py", '"""Doc."""\n\n__version__ = "1.2.3"\n')
    _write(
        tmp_path, "CHANGELOG.md", "## Unreleased\n\n## 1.2.3 - 2026-01-02\n\n- New.\n\n## 1.2.2\n"
    )
    _write(tmp_path, "infra/run.sh", f"docker run {IMAGE}:1.2.3\n")
    return tmp_path


def test_every_example_names_this_version() -> None:
    """In the whole tree, documentation and tests included, no image is of another version."""
    assert [named for named in image_names(ROOT) if named.tag != __version__] == []


def test_the_examples_are_seen() -> None:
    """Each of these names the image, so that the test above looks where examples are."""
    seen = {named.path for named in image_names(ROOT)}
    assert {
        "docs/release.md",
        "infra/ecs/task-definition.json",
        "infra/nomad/offloader.nomad.hcl",
    } <= seen


def test_a_right_tag_is_released(tree: Path) -> None:
    """The script prints the version and exits with 0."""
    assert _run(tree, "v1.2.3") == (0, "1.2.3\n", "")


def test_notes_are_the_changelogs(tree: Path) -> None:
    """`--notes` prints what the changelog says of this version, and of no other."""
    assert _run(tree, "v1.2.3", "--notes") == (0, "- New.\n", "")


@pytest.mark.parametrize("tag", ["v1.2.4", "1.2.3", "v1.2.3-1", "v1.2", "release", ""])
def test_another_tag_is_refused(tree: Path, tag: str) -> None:
    """A tag that is not v and the package's version ends with 1 and says what to tag."""
    said = f"the tag is {tag}, and offloader.__version__ is 1.2.3: tag v1.2.3\n"
    assert _run(tree, tag) == (1, "", said)


def test_a_version_without_changes_is_refused(tree: Path) -> None:
    """The changelog needs a section of the version, and something in it."""
    said = "CHANGELOG.md says nothing of 1.2.3: add the section '## 1.2.3'"
    for text in (
        "## Unreleased\n\n- New.\n",
        "## 1.2.3\n\n## 1.2.2\n\n- Old.\n",
        "## 1.2.30\n\n- X\n",
    ):
        _write(tree, "CHANGELOG.md", text)
        assert problems(tree, "v1.2.3") == [said], text
        assert changes(tree, "1.2.3") == ""


@pytest.mark.parametrize("version", ["1.2", "1.2.3.dev1", "1.2.3-rc1", "v1.2.3"])
def test_a_version_of_another_form_is_refused(tree: Path, version: str) -> None:
    """A release is three numbers, or a candidate of one."""
    _write(tree, "offloader/__init__.py", f'__version__ = "{version}"\n')
    _write(tree, "CHANGELOG.md", f"## {version}\n\n- New.\n")
    found = problems(tree, f"v{version}")
    assert found[0] == f"offloader.__version__ is {version}: a release is 1.2.3 or 1.2.3rc1"


@pytest.mark.parametrize(
    ("path", "text", "tag"),
    [
        ("infra/run.sh", f"\ndocker run {IMAGE}:1.2.2 serve", "1.2.2"),
        ("docs/deep/page.md", f"\nPull `{IMAGE}:1.2.30`.", "1.2.30"),
        (".github/workflows/x.yml", f"\nimage: {IMAGE}:1.2.3-amd64", "1.2.3-amd64"),
        ("infra/a.yml", f"\nimage: other/thing:{LATEST}", LATEST),
        ("CHANGELOG.md", f"\n\n## 1.2.3\n\n- Pull {IMAGE}:{LATEST}", LATEST),
        ("k/kustomization.yaml", f"images: [{IMAGE}]\n  newTag: '1.2.2'", "1.2.2"),
        ("Dockerfile", "FROM x\nARG VERSION=1.2.2", "1.2.2"),
    ],
    ids=["script", "page", "workflow", "any-latest", "changelog", "kustomize", "dockerfile"],
)
def test_another_version_in_an_example_is_refused(
    tree: Path, path: str, text: str, tag: str
) -> None:
    """Whatever file names another version is told with its line."""
    _write(tree, path, text)
    line = text.count("\n") + 1
    named = [one for one in image_names(tree) if one.tag != "1.2.3"]
    assert named == [Named(path, line, tag)]
    assert f"{path}:{line} names an image as {tag}: write 1.2.3" in problems(tree, "v1.2.3")


def test_placeholders_and_digests_are_fine(tree: Path) -> None:
    """What is filled in later names no version, and the changelog may tell of older ones."""
    _write(
        tree, "a.md", f"{IMAGE}:<version> {IMAGE}:$V {IMAGE}@sha256:{'0' * 64} never `:{LATEST}`"
    )
    _write(tree, "build/b.md", f"{IMAGE}:0.0.1")
    with (tree / "CHANGELOG.md").open("a", encoding="utf-8") as changelog:
        changelog.write(f"\n- {IMAGE}:1.2.2 was withdrawn.\n")
    assert problems(tree, "v1.2.3") == []


def _write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _run(tree: Path, *arguments: str) -> tuple[int, str, str]:
    """Run the script as the workflow does, without anything installed; return what came of it."""
    script = str(ROOT / "dev" / "scripts" / "release_version.py")
    done = subprocess.run(
        [sys.executable, "-I", script, "--root", str(tree), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr
