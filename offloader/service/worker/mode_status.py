"""What `/diagnostics` says of where a dataset's endpoints read their rows."""

from __future__ import annotations

from typing import Any

from offloader.service.worker.generation import Generation


def mode_status(generation: Generation, name: str) -> dict[str, Any]:
    """Return the fields of one dataset.

    `memory` is `remote` when no rows are in memory, `remote_files` what scans may read: null
    without an endpoint that does.
    """
    opened = generation.opened.get(name)
    files = None if opened is None else opened.segment.files
    is_remote = opened is not None and opened.segment.is_remote_only
    endpoints = generation.catalog.endpoints_of(name)
    return {
        "memory": "remote" if is_remote else generation.memory.get(name),
        "serving_modes": {endpoint.name: endpoint.serving_mode for endpoint in endpoints},
        "remote_files": None
        if files is None
        else {
            "files": len(files.files),
            "row_count": files.row_count,
            "size_bytes": files.size_bytes,
        },
    }
