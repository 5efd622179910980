"""The manifest in a directory: find it and read it, without anything that reads data files."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from offloader.catalog.manifest import MAX_MANIFEST_BYTES, path_trouble
from offloader.errors import ConfigError, Problem, SourceUnavailable

ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)


def resolve_manifest(project_root: Path, manifest: str) -> Path:
    """Return the file that a dataset's `manifest` names, whether it exists or not.

    Raises ConfigError with one problem: `path_absolute`, `path_leaves_project` (`..`),
    `symlink_leaves_project`, `path_invalid` or `url_unsupported`.
    """
    code = "url_unsupported" if "://" in manifest else path_trouble(manifest)
    if code is None:
        root, path = project_root.resolve(), Path(os.path.realpath(project_root / manifest))
        if path.is_relative_to(root):
            return path
        code = "symlink_leaves_project"
    message = "this path of a manifest is not allowed"
    hint = "write it relative to the project's root and keep manifest and files below that"
    raise ConfigError([Problem(manifest, "", code, message, hint)])


def read_manifest(path: Path) -> bytes:
    """Return a manifest's bytes; of one that is too large, one byte more than is allowed.

    Raises SourceUnavailable: `manifest_missing` or `manifest_unreadable`.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, "it is not a regular file")
            return file.read(MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        if error.errno in ABSENT:
            message, hint = f"{path.name} does not exist", "publish a snapshot, or check the path"
            raise SourceUnavailable("manifest_missing", message, hint) from None
        message = f"{path.name} cannot be read: {error.strerror}"
        hint = "let the service's user read it"
        raise SourceUnavailable("manifest_unreadable", message, hint) from error
