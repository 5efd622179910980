"""Write the failure lab: a folder for each deliberate defect, and the table of them.

    python dev/examples/failure-lab/make.py

The same files come out every time; only the standard library is needed.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from defects import DEFECTS
from sound_project import Project, sound_project

INTRODUCTION = """\
# Failure lab

Each folder is a complete small project with one deliberate defect. Nothing of it is ever served:
a project that is wrong does not start, and a snapshot that is wrong never swaps in; the one
served before goes on. `offloader validate <folder>` shows what is wrong with a configuration.

| caught by | is |
| --- | --- |
| configuration | the project's files, all problems at once, before anything starts |
| manifest | the manifest by itself |
| compatibility | the manifest's schema against the dataset's contract |
| files | the data files against the manifest, and every value against its type |
| guards | the numbers of the snapshot against the dataset's guards |

The table is the specification: tests run every folder and compare. `python make.py` writes the
folders and this page anew. The guard `max_age_minutes` is checked at 2026-06-01T00:10:00Z.

| defect | caught by | result |
| --- | --- | --- |
"""


def lab() -> Project:
    """Return every file of the lab by its path."""
    files: Project = {}
    rows = []
    for defect in DEFECTS:
        project = sound_project()
        defect.spoil(project)
        files |= {f"{defect.name}/{path}": content for path, content in project.items()}
        link = f"[`{defect.name}`]({defect.name}/)"
        rows.append(f"| {link}: {defect.what} | {defect.caught_by} | `{defect.result}` |\n")
    return files | {"README.md": (INTRODUCTION + "".join(rows)).encode()}


def write(root: Path) -> None:
    """Write the lab below `root`, after removing the folders of an earlier run."""
    for folder in root.iterdir():
        if (folder / "offloader.yml").is_file():
            shutil.rmtree(folder)
    for name, content in lab().items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    write(Path(__file__).parent)
