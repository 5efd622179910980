"""Take out of installed packages what the service never opens; one line per group with its size.

    python slim.py SITE_PACKAGES

Whole files go by name. Of shared libraries the symbol and debug tables go: nothing but a debugger
reads them. Each group must find something, so that a dependency which moved its files stops the
build of the image instead of making it grow.
"""

from __future__ import annotations

import shutil
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

# Patterns below site-packages; what a group names is never imported, linked or read at run time.
DROPPED = {
    "tests of the packages": ("**/tests",),
    "C and Cython sources": ("**/*.[ch]", "**/*.cc", "**/*.a", "**/*.p[yx][xdi]"),
    "pyarrow: Flight": ("pyarrow/*flight*",),
    "pyarrow: clients of object stores": ("pyarrow/libarrow_s3.*", "pyarrow/_s3fs.*"),
    "pyarrow: second names of its libraries": (
        "pyarrow/libarrow_python*.so",
        "pyarrow/libarrow_python*.so.*.*",
    ),
    "zstandard: its other backend": ("zstandard/_cffi.*", "zstandard/backend_cffi.py"),
    "numpy: f2py": ("numpy/f2py",),
    "commands of the packages": ("bin",),
    "setuptools": ("setuptools", "setuptools-*", "_distutils_hack", "distutils-precedence.pth"),
}
# botocore describes every service of its cloud: a reader of buckets signs in and asks S3.
SERVICES = frozenset(("s3", "sts", "sso", "sso-oidc", "signin"))
_ELF64_LITTLE_ENDIAN = b"\x7fELF\x02\x01"
_ELF_HEADER_BYTES = 64


def main(arguments: list[str]) -> int:
    """Slim the packages of one folder; return 1 when a group found nothing."""
    root = Path(arguments[0])
    freed = {name: sum(map(_drop, _matches(root, found))) for name, found in DROPPED.items()}
    freed["botocore: other services"] = sum(map(_drop, _other_services(root / "botocore" / "data")))
    freed["symbol and debug tables"] = sum(map(_cut, sorted(root.rglob("*.so*"))))
    for name, size_bytes in freed.items():
        print(f"{size_bytes / 1e6:8.1f} MB  {name}")
    print(f"{sum(freed.values()) / 1e6:8.1f} MB  dropped")
    missing = [name for name, size_bytes in freed.items() if size_bytes == 0]
    if missing:
        print(f"nothing found of: {', '.join(missing)}; adapt dev/image/slim.py", file=sys.stderr)
    return int(bool(missing))


def _matches(root: Path, patterns: Iterable[str]) -> list[Path]:
    return sorted({path for pattern in patterns for path in root.glob(pattern)})


def _other_services(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir() and p.name not in SERVICES)


def _drop(path: Path) -> int:
    """Remove a file or a tree; return its bytes, 0 when it went with a folder above it."""
    if not path.exists():
        return 0
    if path.is_file():
        size_bytes = path.stat().st_size
        path.unlink()
        return size_bytes
    size_bytes = sum(p.lstat().st_size for p in path.rglob("*") if not p.is_dir())
    shutil.rmtree(path)
    return size_bytes


def _cut(path: Path) -> int:
    """Cut a shared library behind its last loaded byte; return the bytes that went."""
    content = bytearray(path.read_bytes())
    if not content.startswith(_ELF64_LITTLE_ENDIAN):
        return 0
    end = loaded_bytes(content)
    # The section table lies behind the end: the header says that there is none (e_shoff and
    # e_shentsize, e_shnum, e_shstrndx of the ELF-64 object file format).
    struct.pack_into("<Q", content, 40, 0)
    struct.pack_into("<3H", content, 58, 0, 0, 0)
    path.write_bytes(content[:end])
    return len(content) - end


def loaded_bytes(content: bytes | bytearray) -> int:
    """Return where the last segment ends that a loader reads; the rest is for tools."""
    (table,) = struct.unpack_from("<Q", content, 32)
    size, count = struct.unpack_from("<2H", content, 54)
    end: int = max(_ELF_HEADER_BYTES, table + size * count)
    for at in range(table, table + size * count, size):
        (offset,) = struct.unpack_from("<Q", content, at + 8)
        (length,) = struct.unpack_from("<Q", content, at + 32)
        end = max(end, offset + length)
    return end


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
