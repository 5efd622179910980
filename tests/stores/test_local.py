"""A folder as a store."""

from __future__ import annotations

from pathlib import Path

import pytest

from offloader.stores.local import LocalStore
from offloader.stores.store import ObjectStore
from tests.stores.contract import StoreContract
from tests.stores.subject import ODD_KEYS


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
