"""What each key may call, as documents say it: to know a key again, and to keep or take grants."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Collection, Mapping
from typing import Any

from offloader.catalog.values import parse_timestamp
from offloader.errors import ConfigError

Document = Mapping[str, Any]
_GRANT = re.compile(r"keys\[([0-9]+)\]\.endpoints\[([0-9]+)\]")
_GRANTED = ("tenant", "endpoints", "expires_at")


def keys_of(documents: Document) -> list[Document]:
    """Return the documents of all keys, none where no keys are known."""
    return list((documents.get("keys") or {"keys": []})["keys"])


def grants_of(documents: Document) -> Document:
    """Return what each key may call, by a digest of its hash: enough to know it again.

    One that is revoked may call nothing.
    """
    return {
        _masked(key["hash"]): {name: key.get(name) for name in _GRANTED}
        for key in keys_of(documents)
        if key.get("status") != "revoked"
    }


def with_old_grants(
    keys: Collection[Document], before: Document, endpoints: Collection[str]
) -> list[Document]:
    """Return keys that may call these `endpoints` only where they could `before`.

    `before` is what `grants_of` returned. A key of another tenant, or good for longer, is new.
    """
    return [_with_old_grants(key, before.get(_masked(key["hash"])), endpoints) for key in keys]


def without_refused(keys: Collection[Document], error: ConfigError) -> list[Document] | None:
    """Return keys without the grants that an error names, None when it names none."""
    found = (_GRANT.fullmatch(problem.path) for problem in error.problems)
    refused = {(int(match[1]), int(match[2])) for match in found if match}
    if not refused:
        return None
    return [_without(key, index, refused) for index, key in enumerate(keys)]


def _with_old_grants(
    key: Document, before: Document | None, endpoints: Collection[str]
) -> Document:
    old = set(before["endpoints"]) if before is not None and _is_for_no_more(key, before) else set()
    granted = [name for name in key["endpoints"] if name not in endpoints or name in old]
    return {**key, "endpoints": granted}


def _is_for_no_more(key: Document, before: Document) -> bool:
    """Tell whether a key is of the tenant that it was of, and good for no longer."""
    return key.get("tenant") == before.get("tenant") and _expiry(key) <= _expiry(before)


def _expiry(key: Document) -> float:
    """Return when a key ends, in microseconds since the epoch."""
    text = key.get("expires_at")
    return parse_timestamp(text) if text else math.inf


def _masked(key_hash: str) -> str:
    return hashlib.sha256(key_hash.encode()).hexdigest()


def _without(key: Document, index: int, refused: Collection[tuple[int, int]]) -> Document:
    names = enumerate(key["endpoints"])
    return {**key, "endpoints": [name for at, name in names if (index, at) not in refused]}
