"""The archive: named texts, a page that explains them, bounded in size, the same for the same.

Whatever is in it went through the redactor last, as the very text that is written.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from offloader.service.redaction import Redactor

MOST_BYTES = 50 << 20
README = "README.txt"
FOLDER = "offloader-support"
_INTRODUCTION = """\
A support bundle of Offloader {version}, made at {made_at}.

Secrets are left out or replaced by [redacted]: tokens, keys and their hashes, names of tenants,
queries and logins of URLs, values that callers sent. Rows of data are never in here. Look through
it all the same before you send it.

Begin with doctor.txt: it says whether it is us, our environment, or upstream.

"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: its path in the bundle, its text, and what it is, in one line.

    `has_checksums` keeps 64 hexadecimal digits in it; only known secrets are masked among them.
    """

    path: str
    text: str
    about: str
    has_checksums: bool = False


def entry_of(path: str, document: object, about: str, *, has_checksums: bool = False) -> Entry:
    """Return an entry that holds a JSON document."""
    text = json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n"
    return Entry(path, text, about, has_checksums)


def pack(
    entries: Iterable[Entry],
    redactor: Redactor,
    *,
    made_at: float,
    facts: Mapping[str, str],
    most_bytes: int = MOST_BYTES,
) -> tuple[bytes, list[str]]:
    """Return the bytes of the .tar.gz and the paths in it, sorted.

    `made_at` is seconds since the epoch, of every file in it, and `facts` are what the introduction
    names. Entries are taken in their order while there is room: what has none is named in the
    README and not there.
    """
    texts: dict[str, bytes] = {}
    lines, left = [], most_bytes
    for one in entries:
        raw = redactor.text(one.text, keep_hashes=one.has_checksums).encode("utf-8", "replace")
        path = redactor.text(one.path)
        if len(raw) > left:
            lines.append(f"{path}: left out, {len(raw)} bytes are too many. {one.about}")
            continue
        left -= len(raw)
        texts[path] = raw
        lines.append(f"{path}: {one.about}")
    page = _INTRODUCTION.format(**facts) + "\n".join(sorted(lines)) + "\n"
    texts[README] = redactor.text(page).encode()
    buffer = io.BytesIO()
    _write(buffer, texts, int(made_at))
    return buffer.getvalue(), sorted(texts)


def _write(target: BinaryIO, texts: Mapping[str, bytes], made_at: int) -> None:
    with (
        gzip.GzipFile("", "wb", 6, target, mtime=made_at) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in sorted(texts):
            member = tarfile.TarInfo(f"{FOLDER}/{path}")
            member.size, member.mtime, member.mode = len(texts[path]), made_at, 0o644
            archive.addfile(member, io.BytesIO(texts[path]))
