"""The exposition, from counters in shared memory."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from offloader.service.worker.metrics import exposition
from tests.service.seen import NOW, Seen, seen


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


def test_the_segment_store_is_counted_where_there_is_one() -> None:
    """Parts and bytes by result, and whether it answered; nothing without a store."""
    made = seen()
    assert not any(name.startswith("offloader_segment_store") for name, _ in samples(made))
    told = {"ok": False, "parts": {"fetched": 3, "corrupt": 1}, "bytes": {"fetched": 7104}}
    made.tell_all({"datasets": {}, "segment_store": told})
    found = samples(made)
    assert found["offloader_segment_store_total", ("fetched",)] == 3
    assert found["offloader_segment_store_total", ("corrupt",)] == 1
    assert found["offloader_segment_store_bytes_total", ("fetched",)] == 7104
    assert found["offloader_segment_store_ok", ()] == 0
