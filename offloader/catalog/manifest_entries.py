"""The two lists of a manifest: `schema`, the columns, and `files`, what was written where."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import Literal, cast

from offloader.catalog.manifest_fields import MAX_COLUMN_NAME, Reader, has_control
from offloader.catalog.model import Column
from offloader.catalog.strict_json import shown
from offloader.catalog.types import ColumnType, Kind, parse_type

MAX_FILES = 100_000
MAX_COLUMNS = 4096
MAX_PATH_BYTES = 1024

FileFormat = Literal["parquet", "csv"]
FORMATS = ("parquet", "csv")
CHECKSUM_DIGITS = {"sha256": 64, "crc32c": 8, "md5": 32, "xxh3_128": 32}
_FILE_KEYS = frozenset({"path", "format", "row_count", "size_bytes", *CHECKSUM_DIGITS})
_URL = re.compile(r"(?:s3|gs)://[^/@?#]+/[^?#]+|https://[^/@]+/[^#]+")
_SECRETS = re.compile(r"(?<=://)[^/]*@|\?.*", re.DOTALL)
_NO_TYPE = ColumnType(Kind.VARCHAR)


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """One data file: `path` is relative to the manifest or an `s3://`, `gs://`, `https://` URL.

    `checksum` is (algorithm, lowercase hex) over all bytes of the file.
    """

    path: str
    format: FileFormat
    row_count: int
    size_bytes: int
    checksum: tuple[str, str] | None = None

    @property
    def is_url(self) -> bool:
        """Whether the file lies in an object store or behind HTTPS."""
        return "://" in self.path

    def as_document(self) -> dict[str, object]:
        """Return the file's entry in a manifest."""
        entry: dict[str, object] = {
            "path": self.path,
            "format": self.format,
            "row_count": self.row_count,
            "size_bytes": self.size_bytes,
        }
        return entry | (dict([self.checksum]) if self.checksum else {})


def read_columns(reader: Reader) -> tuple[Column, ...]:
    """Read `schema`: 1 to 4,096 different columns of the contract's types."""
    entries = reader.entries("schema", "a list of {name, type}, one for each column of the files")
    if "schema" in reader.document and not 1 <= len(entries) <= MAX_COLUMNS:
        message, hint = f"it has {len(entries)} columns", f"state 1 to {MAX_COLUMNS} columns"
        reader.problem("schema", "column_count", message, hint)
        return ()
    found: dict[str, Column] = {}
    for index, entry in enumerate(entries):
        column = _read_column(entry, f"schema[{index}]", reader)
        if column.name in found:
            message = f"the column {shown(column.name)} stands there twice"
            hint = "give each column its own name"
            reader.problem(f"schema[{index}].name", "duplicate_column", message, hint)
        elif column.name:
            found[column.name] = column
    return tuple(found.values())


def read_files(reader: Reader) -> tuple[ManifestFile, ...]:
    """Read `files`: at most 100,000 different files, none is fine."""
    entries = reader.entries("files", "a list of {path, format, row_count, size_bytes}")
    if len(entries) > MAX_FILES:
        hint = f"publish at most {MAX_FILES} files: fewer, larger ones also load faster"
        reader.problem("files", "too_many_files", f"it has {len(entries)} files", hint)
        return ()
    files, seen = [], set[str]()
    for index, entry in enumerate(entries):
        file = _read_file(entry, f"files[{index}]", reader)
        place = file.path if file.is_url else posixpath.normpath(file.path or ".")
        if file.path and place in seen:
            message = f"{_told(file.path)} stands there twice: its rows would count twice"
            reader.problem(f"files[{index}].path", "duplicate_file", message, "list it once")
        seen.add(place)
        files.append(file)
    return tuple(files)


def _read_column(entry: object, place: str, parent: Reader) -> Column:
    if not isinstance(entry, dict):
        parent.problem(place, "wrong_type", "it is not an object", "write {name, type}")
        return Column("", _NO_TYPE)
    reader = Reader(entry, f"{place}.", parent.problems)
    name, kind = reader.text("name"), reader.text("type")
    if len(name) > MAX_COLUMN_NAME:
        hint = f"a column's name has at most {MAX_COLUMN_NAME} characters"
        reader.problem("name", "text_too_long", f"it has {len(name)} characters", hint)
    try:
        return Column(name, parse_type(kind) if kind else _NO_TYPE)
    except ValueError:
        hint = f"declare one of {', '.join(Kind)}, a decimal as DECIMAL(18,2)"
        reader.problem("type", "bad_column_type", f"{shown(kind)} is not supported", hint)
        return Column(name, _NO_TYPE)


def _read_file(entry: object, place: str, parent: Reader) -> ManifestFile:
    if not isinstance(entry, dict):
        hint = "write {path, format, row_count, size_bytes}"
        parent.problem(place, "wrong_type", "it is not an object", hint)
        return ManifestFile("", "parquet", 0, 0)
    reader = Reader(entry, f"{place}.", parent.problems)
    for key in sorted(entry.keys() - _FILE_KEYS):
        hint = f"known are {', '.join(sorted(_FILE_KEYS))}"
        reader.problem(shown(key), "unknown_key", "no such field of a file", hint)
    path = reader.text("path") if type(entry.get("path")) is not str else _read_path(reader)
    return ManifestFile(
        path=path,
        format=cast(FileFormat, reader.choice("format", FORMATS)),
        row_count=reader.count("row_count"),
        size_bytes=reader.count("size_bytes"),
        checksum=_read_checksum(reader),
    )


def _read_path(reader: Reader) -> str:
    path = str(reader.document["path"])
    trouble = path_trouble(path)
    if trouble is None:
        return path
    reader.problem("path", trouble, f"{_told(path)} is not allowed", _PATH_HINTS[trouble])
    return ""


def _told(path: str) -> str:
    """Return a path as problems may tell it: a URL without login and query, which are secret."""
    return shown(_SECRETS.sub("", path) if "://" in path else path)


def path_trouble(path: str) -> str | None:
    """Return the code of what is wrong with a file's path or URL, None when it is fine."""
    if not path or len(path.encode("utf-8")) > MAX_PATH_BYTES:
        return "path_invalid"
    if "\\" in path or has_control(path):
        return "path_invalid"
    if path.startswith("/"):
        return "path_absolute"
    if ".." in path.split("/"):
        return "path_leaves_project"
    if "://" in path and not _URL.fullmatch(path):
        return "url_unsupported"
    return None


def _read_checksum(reader: Reader) -> tuple[str, str] | None:
    given = [name for name in CHECKSUM_DIGITS if name in reader.document]
    if len(given) > 1:
        message = f"{' and '.join(given)} are both given"
        reader.problem(given[1], "checksum_ambiguous", message, "give at most one checksum")
    if not given:
        return None
    name, digits = given[0], CHECKSUM_DIGITS[given[0]]
    value = reader.document[name]
    if not isinstance(value, str) or not re.fullmatch(rf"[0-9a-fA-F]{{{digits}}}", value):
        hint = f"write the {name} of the file's bytes as {digits} hex digits"
        reader.problem(name, "checksum_invalid", f"it is not {digits} hex digits", hint)
        return None
    return name, value.lower()


_PATH_HINTS = {
    "path_invalid": f"use up to {MAX_PATH_BYTES} bytes, `/` between folders, no control characters",
    "path_absolute": "write the path relative to the manifest's folder",
    "path_leaves_project": "keep the files beside or below the manifest, without `..`",
    "url_unsupported": "use s3://bucket/key, gs://bucket/key or https://host/path, without a login",
}
