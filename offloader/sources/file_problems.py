"""What can be wrong with a file of a snapshot, wherever it lies, in the same words."""

from __future__ import annotations

from offloader.catalog.manifest import ManifestFile
from offloader.errors import Problem, SourceUnavailable

PUBLISH_LAST = "write every file first, the manifest last, and publish a new snapshot"


def missing(file: ManifestFile) -> Problem:
    """Return the problem of a file that is not there."""
    return Problem(file.path, "", "file_missing", "it does not exist", PUBLISH_LAST)


def size_differs(file: ManifestFile, size_bytes: int) -> Problem | None:
    """Return the problem of a file of another size, None when it has the manifest's."""
    if size_bytes == file.size_bytes:
        return None
    message = f"it has {size_bytes} bytes, the manifest says {file.size_bytes}"
    return Problem(file.path, "", "file_size_differs", message, PUBLISH_LAST)


def checksum_differs(file: ManifestFile, found: tuple[str, str] | None) -> Problem | None:
    """Return the problem of another checksum of the same algorithm, None when there is none."""
    if found is None or file.checksum is None:
        return None
    (algorithm, wanted), (other, value) = file.checksum, found
    if algorithm != other or wanted == value:
        return None
    message = f"its {algorithm} is {value}, the manifest says {wanted}"
    return Problem(file.path, "", "file_checksum_differs", message, PUBLISH_LAST)


def changed(path: str) -> SourceUnavailable:
    """Return the error for a file that is another one by now; `path` as errors may tell it."""
    hint = "never overwrite a published file: write new ones, then a new manifest"
    return SourceUnavailable("file_changed", f"{path} changed while it was read", hint)
