"""A project as it was read: where it lies, what it says, and what that means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offloader.catalog.model import Catalog


@dataclass(frozen=True, slots=True)
class Project:
    """A project's folder, its documents and its catalog."""

    root: Path
    documents: Mapping[str, Any]
    catalog: Catalog
