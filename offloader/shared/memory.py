"""Anonymous memory files: made, filled, sealed, mapped.

A memfd, not /dev/shm: containers give that 64 MiB by default, and writing past it is a SIGBUS.
Seals are the kernel's (memfd_create(2), fcntl(2)): once set nobody can remove them, so a sealed
segment cannot change under a reader, whoever holds the descriptor.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import weakref

import numpy as np

# fcntl.h; Python names F_SEAL_FUTURE_WRITE only from 3.13 on.
F_SEAL_FUTURE_WRITE = 0x0010
_COPY_BYTES = 1 << 30

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.mmap.restype = ctypes.c_void_p
_LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_LIBC.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_MAP_FAILED = ctypes.c_void_p(-1).value


def create_memory(name: str, size_bytes: int) -> int:
    """Return the descriptor of a new, zeroed, sealable memory file; the caller closes it."""
    descriptor = os.memfd_create(name[:200], os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, size_bytes)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def memory_of(name: str, content: bytes) -> int:
    """Return the descriptor of a sealed memory file that holds `content`."""
    descriptor = create_memory(name, len(content))
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        seal(descriptor)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def copy_of_file(name: str, source: int) -> tuple[int, int]:
    """Copy an open file into a new memory file inside the kernel.

    Returns the descriptor, not yet sealed, and its size in bytes. Raises OSError when the file is
    shorter than it said, or the memory is not to be had.
    """
    size_bytes = os.fstat(source).st_size
    descriptor = create_memory(name, size_bytes)
    try:
        copied = 0
        while copied < size_bytes:
            sent = os.sendfile(descriptor, source, copied, min(_COPY_BYTES, size_bytes - copied))
            if sent == 0:
                raise OSError("the file became shorter while it was copied")
            copied += sent
    except OSError:
        os.close(descriptor)
        raise
    return descriptor, size_bytes


def seal(descriptor: int) -> None:
    """Make the memory's size and content final, for every process, for ever.

    Raises OSError while a writable mapping exists.
    """
    seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)


def seal_for_others(descriptor: int) -> None:
    """Keep the writable mappings that exist, and refuse every further write or mapping."""
    seals = F_SEAL_FUTURE_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)


def seal_size(descriptor: int) -> None:
    """Make the memory's size final: nobody can cut off what another process has mapped."""
    seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)


def map_sealed(descriptor: int) -> memoryview:
    """Map a file that never changes for reading; it is unmapped when nobody refers to it.

    The file is a sealed memory file, or one of the cache that is never written in place. The
    descriptor may be closed afterwards. Raises OSError, ValueError for an empty file.
    """
    size_bytes = os.fstat(descriptor).st_size
    if size_bytes == 0:
        raise ValueError("an empty file cannot be mapped")
    # Private: kernels before 6.7 refuse a shared mapping of a write-sealed file. The pages are
    # shared all the same, for nobody writes them. Not mmap.mmap: each keeps a descriptor open, and
    # a worker maps hundreds of parts.
    kind = (mmap.PROT_READ, mmap.MAP_PRIVATE)
    address = _LIBC.mmap(None, size_bytes, *kind, descriptor, 0)
    if address == _MAP_FAILED:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    pages = (ctypes.c_ubyte * size_bytes).from_address(address)
    unmap = weakref.finalize(pages, _LIBC.munmap, address, size_bytes)
    unmap.atexit = False  # a thread may still be reading when the interpreter ends
    return np.frombuffer(memoryview(pages), np.uint8).data.toreadonly()


def map_live(descriptor: int) -> mmap.mmap:
    """Map a memory file that its owner goes on writing, for reading only."""
    return mmap.mmap(descriptor, 0, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)


def map_writable(descriptor: int) -> mmap.mmap:
    """Map a memory file for reading and writing."""
    return mmap.mmap(descriptor, 0, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ | mmap.PROT_WRITE)
