"""What `offloader explain` says: lines for people, one object for scripts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from offloader.cli.cache_status import size

if TYPE_CHECKING:
    from offloader.query.explain import Explanation


_ORDERS = {
    "path": "rows lie in it, nothing is sorted",
    "page": "the path names the rows of the page, only these are sorted",
    "sort": "all that is found is sorted",
    "groups": "the groups are sorted",
}


def explanation_document(found: Explanation) -> dict[str, Any]:
    """Return the object of `--json`; `path` is null when base order is read."""
    return {
        "endpoint": found.endpoint,
        "dataset": found.dataset,
        "snapshot_id": found.snapshot_id,
        "row_count": found.row_count,
        "path": None if found.path is None else list(found.path),
        "equal": list(found.equal),
        "listed": list(found.listed),
        "ranged": list(found.ranged),
        "residual": list(found.residual),
        "order": list(found.order),
        "order_from": found.order_from or None,
        "scan": found.is_scan,
        "rows_located": found.rows_located,
        "rows_estimated": found.rows_estimated,
        "rows_read": found.rows_read,
        "bytes_read": found.bytes_read,
        "result_rows": found.result_rows,
        "milliseconds": round(found.seconds * 1e3, 4),
        "advice": list(found.advice),
    }


def explanation_lines(found: Explanation) -> Iterator[str]:
    """Yield the lines for people."""
    yield (
        f"{found.endpoint} over {found.dataset}, snapshot {found.snapshot_id},"
        f" {_rows(found.row_count)}"
    )
    yield f"  path       {_path(found)}"
    yield f"  looked up  {_looked_up(found)}"
    yield f"  checked    {', '.join(found.residual) or 'nothing row by row'}"
    if found.order:
        yield f"  order      {', '.join(found.order)}: {_ORDERS[found.order_from]}"
    yield f"  located    {_rows(found.rows_located)}"
    yield f"  read       {_rows(found.rows_read)}, {size(found.bytes_read)}"
    yield f"  estimated  {_rows(found.rows_estimated)}"
    yield f"  answered   {_rows(found.result_rows)} in {found.seconds * 1e3:.3f} ms"
    for sentence in found.advice:
        yield f"  help       {sentence}"


def _path(found: Explanation) -> str:
    if found.path is not None:
        return f"({', '.join(found.path)})"
    if found.is_scan:
        return "none: every row is read"
    return "none: rows are read in base order" if found.rows_located else "none: no row can match"


def _looked_up(found: Explanation) -> str:
    texts = [f"{name} by value" for name in found.equal]
    texts += [f"{name} by list" for name in found.listed]
    texts += [f"{name} by range" for name in found.ranged]
    return ", ".join(texts) or "nothing"


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"
