"""Who has to act on a code: the area it belongs to, and the runbook that says what to do.

upstream      the data that was published: the data team
environment   network, stores, disk, memory, credentials: the platform
config        the project, and what its settings say: the service owner
service       Offloader itself
none          nobody: it is as somebody wished, or it passes
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from offloader.catalog.codes import CODES
from offloader.catalog.snapshot_codes import SNAPSHOT_CODES

Area = Literal["none", "service", "environment", "config", "upstream"]
Of = Literal["snapshot", "config", "start", "action", "command", "verdict"]
RUNBOOKS = "docs/operations/runbooks.md"


@dataclass(frozen=True, slots=True)
class Blame:
    """An area, and the heading of a runbook."""

    area: Area
    runbook: str

    @property
    def link(self) -> str:
        """Where the runbook stands, from the root of the repository."""
        return f"{RUNBOOKS}#{self.runbook.lower().replace(' ', '-')}"


UNKNOWN = Blame("service", "First look")
_BAD_DATA = Blame("upstream", "Bad manifest")
_BAD_WISH = Blame("config", "Bad manifest")
_NOT_THERE = Blame("upstream", "Source unreachable")
_UNREACHABLE = Blame("environment", "Source unreachable")
_MISDIRECTED = Blame("config", "Source unreachable")
_DISK = Blame("environment", "Disk full")
_MEMORY = Blame("environment", "Memory full")
_DAMAGE = Blame("environment", "Cache corrupted")
_FAULT = Blame("service", "Rollback to previous image")
_NO_CONFIG = Blame("environment", "Config bucket unreachable")
_BAD_CONFIG = Blame("config", "Config bucket unreachable")
_NO_START = Blame("environment", "Does not start")
_BAD_START = Blame("config", "Does not start")


def _each(blame: Blame, codes: Iterable[str]) -> dict[str, Blame]:
    return dict.fromkeys(codes, blame)


# What a store answers of a source; of the config's bucket the same codes count.
_STORE_CODES = (
    *("bucket_missing", "credentials_missing", "download_called_off", "manifest_unreadable"),
    *("object_cut_short", "object_overlong", "object_wrong_range"),
    *("source_slow", "source_unreadable", "store_busy", "store_denied", "store_garbled"),
    *("store_read_only", "store_refused", "store_too_slow", "store_unreachable"),
)
_MISDIRECTED_CODES = (
    *("address_private", "encoding_unsupported", "host_invalid", "key_invalid"),
    *("key_leaves_store", "listing_unsupported", "ranges_unsupported", "redirect_refused"),
    *("store_misconfigured", "version_missing", "wrong_region"),
)
_DATA_CODES = (
    *("object_changed", "object_checksum_differs", "object_content_differs", "object_exists"),
    *("object_too_large", "commit_unreadable", "commit_invalid", "commit_empty"),
    *("commit_too_large", "commit_not_parquet", "commit_file_missing", "partitioned_unsupported"),
    *("too_many_commits", "too_many_files", "too_many_rows", "decimal_out_of_range"),
    *("watermark_older", "snapshot_id_reused"),
)
_SNAPSHOT = MappingProxyType(
    {
        **_each(_BAD_DATA, SNAPSHOT_CODES),
        **_each(_BAD_DATA, _DATA_CODES),
        **_each(_BAD_WISH, ("dataset_differs", "pinned_snapshot_missing", "manifest_not_kept")),
        **_each(_NOT_THERE, ("manifest_missing", "object_missing")),
        **_each(_NOT_THERE, ("commit_missing", "commit_unfinished")),
        **_each(_UNREACHABLE, _STORE_CODES),
        **_each(_MISDIRECTED, _MISDIRECTED_CODES),
        **_each(_DISK, ("disk_full", "cache_not_writable")),
        **_each(_MEMORY, ("memory_limit", "memory_unavailable")),
        **_each(_MEMORY, ("builder_timeout", "builder_killed", "builder_out_of_memory")),
        **_each(_DAMAGE, ("segment_corrupt", "cache_not_readable")),
        **_each(_UNREACHABLE, ("segment_store_slow", "shared_part_corrupt")),
        **_each(_FAULT, ("internal", "not_attached")),
    }
)
_CONFIG = MappingProxyType(
    {
        **_each(_BAD_CONFIG, CODES),
        **_each(_BAD_CONFIG, (*_MISDIRECTED_CODES, "config_invalid", "config_unsettled")),
        **_each(_BAD_CONFIG, ("bucket_missing", "object_missing", "object_too_large")),
        **_each(_NO_CONFIG, (code for code in _STORE_CODES if code != "bucket_missing")),
        **_each(_NO_CONFIG, ("config_fetch_timeout", "config_fetch_killed", "object_changed")),
        **_each(_NO_CONFIG, ("object_checksum_differs", "object_content_differs")),
        **_each(_NO_CONFIG, ("object_exists",)),
        **_each(_MEMORY, ("memory_limit", "memory_unavailable")),
        **_each(_DISK, ("disk_full", "cache_not_writable")),
        **_each(_DAMAGE, ("segment_corrupt",)),
        **_each(_FAULT, ("internal", "not_attached")),
    }
)
_START = MappingProxyType(
    {
        **_each(_BAD_START, (*CODES, "config_invalid")),
        **_each(_NO_CONFIG, ("config_fetch_timeout", "config_fetch_killed")),
        **_each(_BAD_CONFIG, ("config_unsettled",)),
        **_each(_NO_START, ("memory_unknown", "memory_too_small", "cache_not_writable")),
        **_each(_NO_START, ("cache_full",)),
        **_each(_NO_START, ("cache_busy", "cache_crowded", "port_in_use", "port_not_allowed")),
        **_each(_NO_START, ("traces_not_installed",)),
    }
)
_VERDICT = MappingProxyType(
    {
        "draining": Blame("none", "First look"),
        "starting": Blame("none", "Does not start"),
        "nothing_attached": Blame("service", "Does not start"),
        "workers_missing": Blame("service", "Latency"),
        "reloader_silent": Blame("service", "First look"),
        "stale": Blame("upstream", "Stale"),
        "newest_put_away": Blame("upstream", "Stale"),
        "pinned_and_stale": Blame("config", "Stale"),
        "pinned": Blame("none", "Rollback to previous snapshot"),
        "contract_pending": Blame("config", "Stale"),
        "served_from_page_cache": _MEMORY,
        "part_quarantined": _DAMAGE,
        "state_not_saved": _DISK,
        "disk_low": _DISK,
    }
)
_TABLES: Mapping[Of, Mapping[str, Blame]] = {
    "snapshot": _SNAPSHOT,
    "config": _CONFIG,
    "start": _START,
    "verdict": _VERDICT,
}
_OTHERS: Mapping[Of, Blame] = {
    "action": Blame("none", "Rollback to previous snapshot"),
    "command": Blame("none", "Before you type"),
}
VERDICT_CODES = tuple(_VERDICT)


def blame_of(code: str, of: Of = "snapshot") -> Blame:
    """Return who has to act on a code, which may mean something else elsewhere.

    `of` is a snapshot's last attempt, the config of a running service, a start that failed, an
    operator's action, a command, or an item of the verdict that is no error.
    """
    if of in _OTHERS:
        return _SNAPSHOT.get(code, _OTHERS[of])
    return _TABLES[of].get(code, UNKNOWN)


def is_known(code: str, of: Of) -> bool:
    """Tell whether a code has an area and a runbook of its own there."""
    return of in _OTHERS or code in _TABLES[of]
