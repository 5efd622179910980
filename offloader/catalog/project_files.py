"""Read a project's files from a folder into documents. The only reader of project files.

A document that could not be read is None in the result and its file name is in `unread`.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import xxhash

from offloader.catalog.problems import Problems
from offloader.catalog.project import PROJECT_FILE, Project, read_project
from offloader.catalog.strict_json import shown
from offloader.catalog.yaml_file import MAX_FILE_BYTES, YamlError, parse_yaml

MAX_FILES = 1000
PROJECT_SUFFIXES = (".yml", ".yaml")


@dataclass(slots=True)
class ProjectFiles:
    """A project's documents as far as they could be read."""

    root: Path
    problems: Problems
    documents: dict[str, object] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)


def read_project_files(root: Path, problems: Problems) -> ProjectFiles:
    """Read the project at `root`, a folder or its offloader.yml, and report what cannot be read.

    Links are followed as long as they stay inside the project, as mounted ConfigMaps need.
    """
    files = ProjectFiles(root.parent if root.name == PROJECT_FILE else root, problems)
    try:
        is_there = (files.root / PROJECT_FILE).is_file()
    except OSError as error:
        _unreadable(files, PROJECT_FILE, error)
        return files
    if not is_there:
        hint = f"name a folder that holds {PROJECT_FILE}, or that file"
        _refuse(files, PROJECT_FILE, "project_missing", f"there is no {PROJECT_FILE} there", hint)
        return files
    document = _read(files, PROJECT_FILE)
    project = Project() if PROJECT_FILE in files.unread else read_project(document, Problems())
    keys = _read(files, project.keys_file) if project.keys_file else None
    files.documents = {
        "project": document,
        "datasets": _read_folder(files, project.datasets_dir),
        "endpoints": _read_folder(files, project.endpoints_dir),
        "keys": keys,
        "keys_file": project.keys_file,
    }
    return files


def fingerprint(root: Path) -> str:
    """Return the digest of every file that makes up the project at `root`, names and bytes.

    It changes when a file does, also when one cannot be read any more; nothing is parsed but
    offloader.yml, which names the others.
    """
    files = ProjectFiles(root.parent if root.name == PROJECT_FILE else root, Problems())
    digest = xxhash.xxh3_128()
    project = read_project(_read(files, PROJECT_FILE), Problems())
    names = [PROJECT_FILE, *_names(files, project.datasets_dir)]
    names += [*_names(files, project.endpoints_dir), *filter(None, [project.keys_file])]
    for name in names:
        raw = _read_bytes(files, name)
        digest.update(f"{name}\0{-1 if raw is None else len(raw)}\0".encode())
        digest.update(raw or b"")
    return digest.hexdigest()


def is_project_file(name: str) -> bool:
    """Tell whether a file of this name in a project's folder is one of its files."""
    return name.endswith(PROJECT_SUFFIXES) and not name.startswith(".")


def _refuse(files: ProjectFiles, file: str, code: str, message: str, hint: str) -> None:
    files.unread.add(file)
    files.problems.add(file, "", code, message, hint)


def _read(files: ProjectFiles, file: str) -> object:
    raw = _read_bytes(files, file)
    if raw is None:
        return None
    try:
        document, faults = parse_yaml(raw)
    except YamlError as error:
        document, faults = None, [error]
        files.unread.add(file)
    for fault in faults:
        files.problems.add(file, fault.path, fault.code, fault.message, fault.hint)
    return document


def _read_bytes(files: ProjectFiles, file: str) -> bytes | None:
    path = _inside(files, file)
    if path is None:
        return None
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            _refuse(files, file, "file_not_regular", "this is not a file", "remove or rename it")
        elif status.st_size > MAX_FILE_BYTES:
            message = f"the file is larger than {MAX_FILE_BYTES} bytes"
            _refuse(files, file, "file_too_large", message, "split it")
        else:
            with path.open("rb") as opened:
                return opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        _unreadable(files, file, error)
    return None


def _read_folder(files: ProjectFiles, folder: str) -> dict[str, object]:
    return {file: _read(files, file) for file in _names(files, folder)}


def _names(files: ProjectFiles, folder: str) -> list[str]:
    """Return the YAML files of a folder, sorted; a project that was not read names no folder."""
    if PROJECT_FILE in files.unread and not (files.root / folder).is_dir():
        return []
    path = _inside(files, folder)
    if path is None:
        return []
    if not path.is_dir():
        _refuse(files, folder, "folder_missing", "there is no such folder", "create it")
        return []
    try:
        names = [entry.name for entry in path.iterdir() if is_project_file(entry.name)]
    except OSError as error:
        _unreadable(files, folder, error)
        return []
    if len(names) > MAX_FILES:
        message = f"the folder holds {len(names)} files, at most {MAX_FILES} are read"
        _refuse(files, folder, "too_many_files", message, "split the project")
        return []
    return [
        str(PurePosixPath(folder) / name) for name in sorted(names) if _is_safe(files, folder, name)
    ]


def _is_safe(files: ProjectFiles, folder: str, name: str) -> bool:
    if name.isprintable():
        return True
    hint = "rename it with letters, digits, _ and -"
    _refuse(files, folder, "file_name_invalid", f"{shown(name)} cannot be shown", hint)
    return False


def _inside(files: ProjectFiles, file: str) -> Path | None:
    """Return the real path of `file` when it exists and lies inside the project."""
    try:
        root = files.root.resolve(strict=True)
        path = (files.root / file).resolve(strict=True)
    except FileNotFoundError:
        _refuse(files, file, "file_missing", "there is no such file or folder", "create it")
        return None
    except (OSError, RuntimeError) as error:
        _unreadable(files, file, error)
        return None
    if not path.is_relative_to(root):
        hint = "copy the file into the project"
        _refuse(files, file, "path_leaves_project", "a link leads out of the project", hint)
        return None
    return path


def _unreadable(files: ProjectFiles, file: str, error: Exception) -> None:
    reason = getattr(error, "strerror", None) or "a loop of links"
    _refuse(files, file, "file_unreadable", f"cannot be read: {reason}", "repair it")
