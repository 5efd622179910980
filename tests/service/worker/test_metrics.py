"""The exposition, from counters in shared memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from offloader.service.worker.metrics import exposition
from offloader.service.worker.view import View
from offloader.shared.control import Word
from tests.service.seen import NOW, Seen, seen

TOLD: dict[str, Any] = {
    **{"is_ok": True, "is_reachable": True, "duration_seconds": 0.5},
    **{"outcomes": {}, "quarantined": 0, "pin": None},
}


def samples(made: Seen) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return every sample by name and label values."""
    text = exposition(lambda: made.view, lambda: NOW).decode()
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_counters_are_sums_over_the_workers() -> None:
    """Each status, each bucket, durations, rows and cache results."""
    made = seen(windows=(None,))
    made.slots.counters(0).count(1, 200, 2_000_000, 10, "off")
    made.slots.counters(1).count(1, 200, 700_000_000, 5, "off")
    made.slots.counters(1).count(1, 422, 100, 0, "")
    made.slots.counters(0).count(0, 404, 0, 0, "")
    made.slots.counters(0).count(0, 418, 20_000_000_000, 0, "")
    found = samples(made)
    assert found["offloader_requests_total", ("e0", "200")] == 2
    assert found["offloader_requests_total", ("e0", "422")] == 1
    assert found["offloader_requests_total", ("-", "404")] == 1
    assert found["offloader_requests_total", ("-", "other")] == 1
    assert found["offloader_rows_scanned_total", ("e0",)] == 15
    assert found["offloader_response_cache_total", ("e0", "off")] == 2
    seconds = "offloader_request_duration_seconds"
    assert found[f"{seconds}_count", ("e0",)] == 3
    assert found[f"{seconds}_sum", ("e0",)] == 0.7020001
    bounds = ("0.00025", "0.001", "0.0025", "0.5", "1.0", "+Inf")
    counts = [found[f"{seconds}_bucket", ("e0", bound)] for bound in bounds]
    assert counts == [1, 1, 2, 2, 3, 3]
    assert found[f"{seconds}_bucket", ("-", "10.0")] == 1
    assert found[f"{seconds}_bucket", ("-", "+Inf")] == 2


def test_gauges_show_the_dataset() -> None:
    """Age, rows, bytes, staleness and pin of what is served."""
    found = samples(seen(windows=(5,)))
    assert found["offloader_snapshot_age_seconds", ("usage",)] == 600
    assert found["offloader_snapshot_rows", ("usage",)] == 7
    assert found["offloader_snapshot_bytes", ("usage",)] == 4096
    assert found["offloader_snapshot_stale", ("usage",)] == 1
    assert found["offloader_snapshot_pinned", ("usage",)] == 0
    assert found["offloader_config_info", ("r" * 32,)] == 1


def test_readiness_and_workers() -> None:
    """A worker that does not beat is missing; without any the instance is not ready."""
    made = seen(workers=3)
    made.beat(1)
    found = samples(made)
    assert found["offloader_ready", ()] == 0
    assert found["offloader_up", ()] == 1
    assert found["offloader_workers", ("attached",)] == 1
    assert found["offloader_workers", ("missing",)] == 2
    made.beat(0)
    assert samples(made)["offloader_ready", ()] == 1


def test_the_pin_is_what_the_reloader_says() -> None:
    """The config's until its first word, then the one it tells, whoever set it."""
    name = ("offloader_snapshot_pinned", ("usage",))
    made = seen(pin="s9")
    assert samples(made)[name] == 1
    quiet = {"is_ok": True, "duration_seconds": 0, "is_reachable": True, "quarantined": 0}
    for pin, expected in ((None, 0), ({"snapshot_id": "s1", "by": "operator"}, 1)):
        made.tell(usage={**quiet, "outcomes": {}, "pin": pin})
        assert samples(made)[name] == expected


def test_the_config_is_well_until_the_reloader_says_otherwise() -> None:
    """Off and well before its first word."""
    made = seen()
    for told, enabled, ok in (
        (None, 0, 1),
        ({"sync_enabled": False, "ok": True}, 0, 1),
        ({"sync_enabled": True, "ok": True}, 1, 1),
        ({"sync_enabled": True, "ok": False}, 1, 0),
    ):
        made.tell_all({"datasets": {}, **({"config": told} if told else {})})
        found = samples(made)
        assert found["offloader_config_sync_enabled", ()] == enabled
        assert found["offloader_config_sync_ok", ()] == ok


def test_what_may_fail_is_exposed_from_the_start() -> None:
    """As 0, so that the first failure is an increase; scans only of endpoints that scan."""
    made = seen(windows=(None,))
    made.tell(usage={**TOLD, "outcomes": {"swapped": 2}})
    found = samples(made)
    for status in ("200", "500"):
        assert found["offloader_requests_total", ("e0", status)] == 0
    assert found["offloader_shed_requests_total", ("e0",)] == 0
    outcomes = {
        labels[1]: number
        for (name, labels), number in found.items()
        if name == "offloader_refreshes_total"
    }
    assert outcomes == {"unchanged": 0, "swapped": 2, "refused": 0, "failed": 0}
    assert ("offloader_scan_failures_total", ("e0", "timeout")) not in found
    assert ("offloader_scan_bytes_read_total", ("e0",)) not in found


def test_scans_are_exposed_of_endpoints_that_scanned() -> None:
    """With every reason, also when the endpoint is no longer one of those."""
    made = seen(windows=(None,))
    made.slots.counters(0).count_failed_scan(1, "timeout")
    made.slots.counters(1).count_bytes_read(1, 70)
    found = samples(made)
    assert found["offloader_scan_bytes_read_total", ("e0",)] == 70
    reasons = {
        labels[1]: number
        for (name, labels), number in found.items()
        if name == "offloader_scan_failures_total"
    }
    assert reasons == {"unavailable": 0, "changed": 0, "timeout": 1, "too_large": 0}


def test_shed_requests_are_counted() -> None:
    """By endpoint, over all workers."""
    made = seen(windows=(None, None))
    for worker in (0, 1, 1):
        made.slots.counters(worker).count_shed(2)
    found = samples(made)
    assert found["offloader_shed_requests_total", ("e1",)] == 3
    assert found["offloader_shed_requests_total", ("e0",)] == 0


def test_the_instance_shows_its_age_its_end_and_its_room() -> None:
    """Start in seconds since the epoch, drain, page cache, and the volume once it was looked at."""
    made = seen()
    made.control[Word.STARTED_AT_US] = 1_780_000_000_500_000
    made.control[Word.MAPPED_BYTES] = 123
    found = samples(made)
    assert found["offloader_start_time_seconds", ()] == 1_780_000_000.5
    assert found["offloader_draining", ()] == 0
    assert found["offloader_page_cache_bytes", ()] == 123
    assert ("offloader_cache_disk_size_bytes", ()) not in found
    made.control[Word.IS_DRAINING] = 1
    room = {"cache_free_bytes": 5, "cache_total_bytes": 50, "is_state_saved": False}
    made.tell_all({"datasets": {}, **room})
    found = samples(made)
    assert found["offloader_draining", ()] == 1
    assert found["offloader_cache_disk_free_bytes", ()] == 5
    assert found["offloader_cache_disk_size_bytes", ()] == 50
    assert found["offloader_state_saved", ()] == 0


def test_what_is_kept_away_is_counted() -> None:
    """For how long a pin holds, damaged parts, and snapshots that an operator put away."""
    made = seen()
    marks = [{"snapshot_id": "s7", "reason": "", "at": 0.0}]
    away = {"pinned_at": NOW - 90, "quarantined": 2, "quarantined_snapshots": marks}
    made.tell(usage={**TOLD, **away})
    found = samples(made)
    assert found["offloader_snapshot_pinned_seconds", ("usage",)] == 90
    assert found["offloader_quarantined_segments", ("usage",)] == 2
    assert found["offloader_quarantined_snapshots", ("usage",)] == 1
    made.tell(usage=TOLD)
    assert samples(made)["offloader_snapshot_pinned_seconds", ("usage",)] == 0


def test_the_segment_store_is_exposed_when_there_is_one() -> None:
    """Its counts, whether it answers, and whether it takes parts."""
    made = seen()
    assert not [name for name, _ in samples(made) if "segment_store" in name]
    parts, size = {"fetched": 3, "failed": 0}, {"fetched": 90, "uploaded": 10}
    store = {"ok": True, "writable": False, "parts": parts, "bytes": size}
    made.tell_all({"datasets": {}, "segment_store": store})
    found = samples(made)
    assert found["offloader_segment_store_total", ("fetched",)] == 3
    assert found["offloader_segment_store_bytes_total", ("uploaded",)] == 10
    assert found["offloader_segment_store_ok", ()] == 1
    assert found["offloader_segment_store_writable", ()] == 0


def test_refreshes_are_exposed_before_a_worker_has_attached() -> None:
    """What the reloader tells needs no generation."""
    made = seen()
    made.tell(usage={**TOLD, "is_ok": False})
    blind = replace(made, view=View(None, made.control, made.slots))
    found = samples(blind)
    assert found["offloader_refresh_ok", ("usage",)] == 0
    assert ("offloader_snapshot_rows", ("usage",)) not in found
