"""Patches of kustomizations: strategic merge, and JSON patch (RFC 6902).

Only what infra/kubernetes uses; anything else is an error, never a guess.
"""

from __future__ import annotations

import copy
from typing import Any

Document = dict[str, Any]

# Lists that are merged item by item, and by which field. Lists of texts are replaced.
MERGE_KEYS = {"containers": "name", "env": "name", "volumes": "name", "volumeMounts": "mountPath"}
_DELETE = {"$patch": "delete"}


class PatchError(Exception):
    """A patch that does nothing, or something this reader does not know."""


def merged(target: Document, patch: Document) -> Document:
    """Return a document with a strategic merge patch applied; null removes a field."""
    result = copy.deepcopy(target)
    for name, change in patch.items():
        if name.startswith("$"):
            raise PatchError(f"{name} here")
        if change is None:
            if name not in result:
                raise PatchError(f"there is no {name} to remove")
            del result[name]
        elif isinstance(change, dict):
            result[name] = merged(result.get(name, {}), change)
        elif isinstance(change, list):
            result[name] = _merged_list(name, result.get(name, []), change)
        else:
            result[name] = change
    return result


def _merged_list(name: str, target: list[Any], patch: list[Any]) -> list[Any]:
    key = MERGE_KEYS.get(name)
    if key is None:
        raise PatchError(f"the list {name} is not known to be merged")
    items: dict[Any, Any] = {item[key]: item for item in target}
    for change in patch:
        at = change[key]
        if change == {key: at, **_DELETE}:
            if items.pop(at, None) is None:
                raise PatchError(f"there is no {name} {at} to remove")
        else:
            items[at] = merged(items.get(at, {}), change)
    return list(items.values())


def patched(target: Document, operations: list[Document]) -> Document:
    """Return a document with the operations of a JSON patch applied: add, replace, remove."""
    result = copy.deepcopy(target)
    for operation in operations:
        holder: Any = result
        *parents, last = operation["path"].removeprefix("/").split("/")
        for name in parents:
            holder = holder[name]
        if not isinstance(holder, dict):
            raise PatchError(f"{operation['path']} is in a list")
        verb = operation["op"]
        if verb not in ("add", "replace", "remove") or (verb == "add") == (last in holder):
            raise PatchError(f"{verb} {operation['path']}")
        if verb == "remove":
            del holder[last]
        else:
            holder[last] = operation["value"]
    return result
