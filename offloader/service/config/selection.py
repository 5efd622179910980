"""Which objects below a prefix are the project, and whether it is of a bearable size. Pure.

The rules are those of a project in a folder (`catalog/project_files.py`); data files, manifests and
whatever else lies beside them are passed over.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import xxhash

from offloader.catalog.problems import Problems
from offloader.catalog.project import PROJECT_FILE, Project, read_project
from offloader.catalog.project_files import PROJECT_SUFFIXES, is_project_file
from offloader.catalog.strict_json import shown
from offloader.catalog.yaml_file import MAX_FILE_BYTES, YamlError, parse_yaml
from offloader.errors import ConfigError, Problem
from offloader.stores.store import StoredObject

MAX_OBJECTS = 5000
MAX_FILES = 500
MAX_PROJECT_BYTES = 32 << 20
_MAX_PART_BYTES = 255  # of one name in a file system
_MAX_NAME_BYTES = 1024

Objects = Mapping[str, StoredObject]  # by name, relative to the project's prefix


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a project's files lie, as its offloader.yml says, without `.` and doubled slashes."""

    folders: tuple[str, ...] = ("datasets", "endpoints")
    keys_file: str | None = None

    def holds(self, name: str) -> bool:
        """Tell whether an object of this name is one of the project's files."""
        if name in (PROJECT_FILE, self.keys_file):
            return True
        folder, _, last = name.rpartition("/")
        return (folder or ".") in self.folders and is_project_file(last)

    def folders_of(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return those of its folders in which anything lies, a console's marker included."""
        found = [
            folder
            for folder in sorted(set(self.folders) - {"."})
            if any(name.startswith(f"{folder}/") for name in names)
        ]
        return tuple(found)


def layout_of(raw: bytes) -> Layout:
    """Return what an offloader.yml says; what it says wrongly is as if it were left out."""
    try:
        document, _ = parse_yaml(raw)
        project = read_project(document, Problems())
    except YamlError:
        project = Project()
    folders = (posixpath.normpath(f) for f in (project.datasets_dir, project.endpoints_dir))
    keys_file = posixpath.normpath(project.keys_file) if project.keys_file else None
    return Layout(tuple(folders), keys_file)


def named(found: Iterable[StoredObject], prefix: str) -> Objects:
    """Return listed objects by their names below the prefix.

    Raises ConfigError `too_many_objects` for more than MAX_OBJECTS.
    """
    objects = {one.key.removeprefix(prefix): one for one in found if one.key != prefix}
    if len(objects) > MAX_OBJECTS:
        message = f"more than {MAX_OBJECTS} objects lie beside it, and all are listed at each look"
        hint = "give the project a prefix of its own, and keep data under another one"
        raise ConfigError([Problem(PROJECT_FILE, "", "too_many_objects", message, hint)])
    return objects


def chosen(objects: Objects, layout: Layout) -> Objects:
    """Return the project's files; raises ConfigError with every name and size that is refused."""
    found = {name: one for name, one in sorted(objects.items()) if layout.holds(name)}
    problems = [*_bad_names(objects, found), *_bad_sizes(found)]
    if problems:
        raise ConfigError(problems)
    return found


def check_project_file(objects: Objects) -> StoredObject:
    """Return the offloader.yml; raises ConfigError `project_missing`, `file_too_large`."""
    found = objects.get(PROJECT_FILE)
    if found is None:
        hint = f"name a prefix under which {PROJECT_FILE} lies, or that object"
        message = f"there is no {PROJECT_FILE} there"
        raise ConfigError([Problem(PROJECT_FILE, "", "project_missing", message, hint)])
    if found.size_bytes > MAX_FILE_BYTES:
        raise ConfigError([_too_large(PROJECT_FILE)])
    return found


def fingerprint(objects: Objects, layout: Layout | None) -> str:
    """Return the digest of what a listing says of the project: it changes when a file does.

    Without a layout it changes with every object.
    """
    digest = xxhash.xxh3_128()
    for name, one in sorted(objects.items()):
        if layout is None or layout.holds(name) or _is_refused(name):
            checksum = ":".join(one.checksum or ())
            parts = (name, str(one.size_bytes), one.version, checksum)
            digest.update("\0".join(parts).encode(errors="surrogatepass") + b"\0\0")
    if layout is not None:
        digest.update("\0".join(layout.folders_of(objects)).encode())
    return digest.hexdigest()


def _bad_names(objects: Objects, found: Objects) -> Iterator[Problem]:
    for name in sorted(objects):
        if _is_refused(name) or (name in found and _is_unsafe(name)):
            message = "the name has an empty part, a . or .. part, a backslash or a control"
            message += " character, or is too long: as a file it would leave the project"
            hint = "rename the object, or remove it"
            yield Problem(shown(name), "", "object_name_invalid", message, hint)
    for name in found:
        if any(other.startswith(f"{name}/") for other in found):
            message = "this is a file and a folder at once"
            yield Problem(name, "", "file_not_regular", message, "remove or rename it")


def _bad_sizes(found: Objects) -> Iterator[Problem]:
    for name, one in found.items():
        if one.size_bytes > MAX_FILE_BYTES:
            yield _too_large(name)
    if len(found) > MAX_FILES:
        message = f"the project has {len(found)} files, at most {MAX_FILES} are read from a bucket"
        yield Problem(PROJECT_FILE, "", "too_many_files", message, "split the project")
    total_bytes = sum(one.size_bytes for one in found.values())
    if total_bytes > MAX_PROJECT_BYTES:
        message = f"the project's files have {total_bytes} bytes, at most {MAX_PROJECT_BYTES} are"
        message += " read from a bucket"
        yield Problem(PROJECT_FILE, "", "project_too_large", message, "split the project")


def _too_large(name: str) -> Problem:
    message = f"the file is larger than {MAX_FILE_BYTES} bytes"
    return Problem(name, "", "file_too_large", message, "split it")


def _is_refused(name: str) -> bool:
    """Tell whether somebody may take this for a file of the project, and it could not be one."""
    return name.endswith(PROJECT_SUFFIXES) and _is_unsafe(name)


def _is_unsafe(name: str) -> bool:
    """Tell whether an object's name could not be that of a file inside the project."""
    parts = name.split("/")
    is_plain = name.isprintable() and "\\" not in name and not {"", ".", ".."} & set(parts)
    size_bytes = len(name.encode(errors="surrogatepass"))
    longest_bytes = max(len(part.encode(errors="surrogatepass")) for part in parts)
    return not is_plain or longest_bytes > _MAX_PART_BYTES or size_bytes > _MAX_NAME_BYTES
