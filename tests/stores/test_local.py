"""A folder as a store."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from offloader.stores.local import LocalStore
from offloader.stores.store import (
    READ_BYTES,
    ObjectChanged,
    ObjectMissing,
    ObjectStore,
    StoreDenied,
    StoredObject,
    StoreFailed,
)
from tests.stores.contract import StoreContract
from tests.stores.subject import ODD_KEYS, code_of, keys, whole

FOUND = StoredObject("key", 5, "1", 0.0)


class Folder:
    """A folder whose files others replace as producers should: written beside, renamed."""

    can_list = can_write = True
    odd_keys = ODD_KEYS

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store: ObjectStore = LocalStore(root)

    def put(self, key: str, content: bytes) -> None:
        """Make or overwrite a file."""
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(".put.tmp")
        beside.write_bytes(content)
        beside.rename(path)

    def delete(self, key: str) -> None:
        """Remove a file."""
        (self.root / key).unlink()

    def elsewhere(self) -> ObjectStore:
        """Return a store whose folder does not exist."""
        return LocalStore(self.root / "no" / "folder")


class TestLocal(StoreContract):
    @pytest.fixture
    def subject(self, tmp_path: Path) -> Folder:
        """Return an empty folder."""
        return Folder(tmp_path)


@pytest.mark.parametrize(
    "key", ["/etc/passwd", "../a", "a/../../b", "a/../b", "./a", "a//b", "a/", ".", ".."]
)
def test_a_key_is_a_path_in_the_folder(tmp_path: Path, key: str) -> None:
    """A path that leaves the folder, or could be written shorter, is refused in every call."""
    folder = tmp_path / "store"
    folder.mkdir()
    store = LocalStore(folder)
    found = replace(FOUND, key=key)
    assert code_of(StoreDenied, store.stat, key) == "key_invalid"
    assert code_of(StoreDenied, whole, store, found) == "key_invalid"
    assert code_of(StoreDenied, store.write, key, io.BytesIO(b"1"), 1) == "key_invalid"
    assert [path.name for path in tmp_path.rglob("*")] == ["store"]


@pytest.mark.parametrize("prefix", ["/", "/etc/", "../", "a/../", "./", "a//", "link/", "link/s"])
def test_a_prefix_lists_nothing_outside(tmp_path: Path, prefix: str) -> None:
    """A prefix that leaves the folder, also through a link, begins no key."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"1")
    folder = tmp_path / "store"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "b").write_bytes(b"1")
    (folder / "link").symlink_to(outside)
    assert LocalStore(folder).list(prefix, most=9) == []


def test_a_link_out_of_the_folder_is_no_way_out(tmp_path: Path) -> None:
    """Files and folders that are links out of the store are refused, and not listed."""
    folder, outside = tmp_path / "store", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (outside / "secret").write_bytes(b"1")
    (folder / "file").symlink_to(outside / "secret")
    (folder / "folder").symlink_to(outside)
    store = LocalStore(folder)
    for key in ("file", "folder/secret"):
        assert code_of(StoreDenied, store.stat, key) == "key_leaves_store"
        assert code_of(StoreDenied, whole, store, replace(FOUND, key=key)) == "key_leaves_store"
    write = io.BytesIO(b"1")
    assert code_of(StoreDenied, store.write, "folder/new", write, 1) == "key_leaves_store"
    assert keys(store) == []
    assert [path.name for path in outside.iterdir()] == ["secret"]


def test_links_inside_are_followed(tmp_path: Path) -> None:
    """A link to a file in the folder is that file, as orchestrators mount their volumes."""
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "one").write_bytes(b"12345")
    (tmp_path / "one").symlink_to("..data/one")
    (tmp_path / "loop").symlink_to(tmp_path)
    store = LocalStore(tmp_path)
    assert whole(store, store.stat("one")) == b"12345"
    assert keys(store) == ["..data/one", "one"]


def test_what_is_no_file_is_not_there(tmp_path: Path) -> None:
    """Folders and pipes are no objects, and a pipe is never waited for."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    store = LocalStore(tmp_path)
    assert keys(store) == []
    for key in ("pipe", "folder"):
        assert code_of(ObjectMissing, store.stat, key) == "object_missing"
        found = replace(FOUND, key=key)
        assert code_of(ObjectChanged, whole, store, found) == "object_changed"


def test_a_file_that_is_being_written_is_not_listed(tmp_path: Path) -> None:
    """Temporary files of writers are left out, other hidden files are not."""
    for name in (".one.0123456789abcdef.tmp", ".hidden", "one"):
        (tmp_path / name).write_bytes(b"1")
    assert keys(LocalStore(tmp_path)) == [".hidden", "one"]


def test_a_write_removes_what_a_dead_writer_left(tmp_path: Path) -> None:
    """A writer that died leaves nothing for ever: the next one of that file removes it."""
    (tmp_path / ".one.0123456789abcdef.tmp").write_bytes(b"half")
    (tmp_path / ".two.0123456789abcdef.tmp").write_bytes(b"half")
    LocalStore(tmp_path).write("one", io.BytesIO(b"12345"), 5)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [".two.0123456789abcdef.tmp", "one"]


def test_a_change_in_mid_read_is_seen(tmp_path: Path) -> None:
    """A file that is written to while it is read fails the read, at the latest at its end."""
    path = tmp_path / "one"
    path.write_bytes(bytes(2 * READ_BYTES))
    store = LocalStore(tmp_path)
    body = store.read(store.stat("one"))
    next(body)
    with path.open("r+b") as opened:
        opened.write(b"x")
    os.utime(path, ns=(0, 0))
    assert code_of(ObjectChanged, list, body) == "object_changed"


def test_a_file_that_may_not_be_read_is_denied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the system says of a file is an error of stores."""
    (tmp_path / "one").write_bytes(b"1")
    store = LocalStore(tmp_path)
    for number, kind, code in (
        (errno.EACCES, StoreDenied, "store_denied"),
        (errno.EROFS, StoreDenied, "store_read_only"),
        (errno.EIO, StoreFailed, "store_unreachable"),
        (errno.ESTALE, StoreFailed, "store_unreachable"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(Path, "stat", raising(OSError(number, os.strerror(number))))
            assert code_of(kind, store.stat, "one") == code
    assert code_of(StoreDenied, store.write, "one/two", io.BytesIO(b"1"), 1) == "store_denied"


def raising(error: OSError) -> Callable[..., None]:
    """Return a function that raises an error."""

    def fail(*_: object, **__: object) -> None:
        raise error

    return fail
