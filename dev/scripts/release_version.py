"""Refuse a release whose tag, package, changelog and examples do not say the same version.

`python -m dev.scripts.release_version v1.2.3` prints the version and exits with 0, or prints every
problem and exits with 1; `--notes` prints what the changelog says of the version. Nothing but the
standard library: it runs before anything is installed.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
IMAGE = "ghcr.io/offloader/offloader"
MAX_BYTES = 2**20
# Made, not written: environments, caches, the examples' data, what an editor keeps.
_SKIPPED = frozenset({"build", "dist", "data", "node_modules", "__pycache__"})
# It tells of earlier versions.
_HISTORY = "CHANGELOG.md"
_RELEASE = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+(rc[0-9]+)?")
_VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)
_OURS = re.compile(re.escape(IMAGE) + r":([A-Za-z0-9_][A-Za-z0-9_.-]*)")
_NEW_TAG = re.compile(r"^\s*newTag:\s*[\"']?([A-Za-z0-9_.-]+)")
_ARGUMENT = re.compile(r"^ARG VERSION=(\S+)")
_LATEST = re.compile(r"\b[a-z0-9][a-z0-9._/-]*:latest\b")


@dataclass(frozen=True, slots=True)
class Named:
    """One place that names an image by tag; `path` is relative to the root, `line` from 1."""

    path: str
    line: int
    tag: str


def package_version(root: Path) -> str:
    """Return the version that the package states; raise ValueError when it states none."""
    found = _VERSION.search((root / "offloader" / "__init__.py").read_text(encoding="utf-8"))
    if found is None:
        raise ValueError("offloader/__init__.py states no __version__")
    return found[1]


def changes(root: Path, version: str) -> str:
    """Return the changelog's section of a version without its heading; empty when there is none."""
    text = (root / _HISTORY).read_text(encoding="utf-8")
    heading = re.compile(rf"^## {re.escape(version)}( .*)?$", re.MULTILINE)
    found = heading.search(text)
    return re.split(r"^## ", text[found.end() :], flags=re.MULTILINE)[0].strip() if found else ""


def image_names(root: Path) -> list[Named]:
    """Return every place below `root` that names the image by tag, or any image as the latest."""
    return [named for path in _files(root) for named in _named(root, path)]


def problems(root: Path, tag: str) -> list[str]:
    """Return why `tag` cannot be released from this tree, one line each; empty when it can."""
    version = package_version(root)
    found = []
    if not _RELEASE.fullmatch(version):
        found.append(f"offloader.__version__ is {version}: a release is 1.2.3 or 1.2.3rc1")
    if tag != f"v{version}":
        found.append(f"the tag is {tag}, and offloader.__version__ is {version}: tag v{version}")
    if not changes(root, version):
        found.append(f"{_HISTORY} says nothing of {version}: add the section '## {version}'")
    return found + [
        f"{named.path}:{named.line} names an image as {named.tag}: write {version}"
        for named in image_names(root)
        if named.tag != version
    ]


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        is_top = Path(folder) == root
        folders[:] = sorted(name for name in folders if _is_ours(name, is_top))
        yield from (Path(folder, name) for name in sorted(names))


def _is_ours(folder: str, is_top: bool) -> bool:
    is_hidden = folder.startswith(".") and not (is_top and folder in (".ci", ".github"))
    return folder not in _SKIPPED and not is_hidden and not folder.endswith(".egg-info")


def _named(root: Path, path: Path) -> Iterator[Named]:
    name = str(path.relative_to(root))
    if not path.is_file() or path.is_symlink() or path.stat().st_size > MAX_BYTES:
        return
    text = path.read_bytes().decode("utf-8", errors="replace")
    patterns = [_LATEST] if name == _HISTORY else [_OURS, _LATEST]
    if IMAGE in text and path.name == "kustomization.yaml":
        patterns.append(_NEW_TAG)
    if path.name == "Dockerfile":
        patterns.append(_ARGUMENT)
    for number, line in enumerate(text.splitlines(), start=1):
        tags = {found for pattern in patterns for found in _tags(pattern, line)}
        yield from (Named(name, number, tag) for tag in sorted(tags))


def _tags(pattern: re.Pattern[str], line: str) -> list[str]:
    if pattern is _LATEST:
        return ["latest"] if pattern.search(line) else []
    return [tag.rstrip(".-") for tag in pattern.findall(line)]


def main(arguments: list[str] | None = None) -> int:
    """Judge a tag for the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("tag", help="the tag that is to be released, such as v1.2.3")
    parser.add_argument("--root", type=Path, default=ROOT, help="the working tree")
    parser.add_argument("--notes", action="store_true", help="print the changelog's section")
    options = parser.parse_args(arguments)
    found = problems(options.root, options.tag)
    for problem in found:
        print(problem, file=sys.stderr)
    if found:
        return 1
    version = package_version(options.root)
    print(changes(options.root, version) if options.notes else version)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
