"""What the codes mean that a problem is most often shown with, for who has no token to read more.

The words are those of the documentation, up to its first semicolon.
"""

from __future__ import annotations

from collections.abc import Mapping

from offloader.catalog.snapshot_codes import SNAPSHOT_CODES

VERDICT_MEANINGS: Mapping[str, str] = {
    "draining": "the instance is stopping",
    "starting": (
        "a dataset's first snapshot is looked for or built, or workers come up in the first minute"
    ),
    "nothing_attached": "the worker that answers serves nothing yet",
    "workers_missing": "not every worker serves",
    "reloader_silent": "no new data is looked for: the reloader has not moved for 10 seconds",
    "stale": "the source answers and has published nothing newer",
    "newest_put_away": "stale, and newer snapshots were rolled back or quarantined",
    "pinned_and_stale": "stale, for the dataset stays on one snapshot",
    "pinned": "the dataset stays on one snapshot",
    "contract_pending": "a changed contract waits for a snapshot that fits it",
    "served_from_page_cache": "a segment does not fit the memory",
    "part_quarantined": "damaged parts were put away and built again",
    "state_not_saved": "the state file could not be written",
    "disk_low": "the cache volume has less than 64 MiB left",
}
ERROR_MEANINGS: Mapping[str, str] = {
    "bucket_missing": "the bucket or folder does not exist",
    "builder_killed": "the builder ended without a result, most often out of memory",
    "builder_timeout": "the build took too long",
    "credentials_missing": "no credentials were found, or a token's file cannot be read",
    "disk_full": "the cache volume is full",
    "internal": "a fault of the service",
    "object_missing": "no object lies under the key",
    "pinned_snapshot_missing": "the pinned snapshot is neither published nor kept",
    "segment_corrupt": "bytes in the cache differ from their checksums",
    "snapshot_id_reused": "the id was published before with other content",
    "store_busy": "the store answers 408, 425, 429 or 5xx",
    "store_unreachable": "no connection, or no answer in time",
    "watermark_older": "the snapshot is older than the served one",
}


def meaning_of(code: str) -> str:
    """Return what a code means, empty where only the reference says it."""
    for meanings in (VERDICT_MEANINGS, ERROR_MEANINGS, SNAPSHOT_CODES):
        if code in meanings:
            return meanings[code].replace("`", "")
    return ""
