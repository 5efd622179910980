"""The console's numbers: traffic summed up, and amounts, sizes and times as words."""

from __future__ import annotations

import pytest

from offloader.service.worker.console.words import ago, amount, moment, sentence, size, span
from offloader.service.worker.traffic import quantile_seconds, total_of
from tests.web.console_scenes import NOW, traffic


def test_traffic_is_summed_and_its_quantiles_lie_in_their_buckets() -> None:
    """Requests are taken as evenly spread between the bounds of a bucket."""
    total = total_of([traffic("a", 100, failed=1), traffic("b", 300)])
    assert (total.requests, total.failed, total.rows_scanned) == (400, 1, 4000)
    assert quantile_seconds(total.buckets, 0.5) == pytest.approx(0.00075)
    assert quantile_seconds([0] * 15, 0.5) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (amount(1234567), "1,234,567"),
        (amount(None), "–"),
        (size(512), "512 B"),
        (size(1536), "1.5 KiB"),
        (size(48_000_000), "45.8 MiB"),
        (size(150 << 30), "150 GiB"),
        (span(0), "0 s"),
        (span(0.0123), "12.3 ms"),
        (span(3725), "1 h 2 min"),
        (span(86_400), "1 d"),
        (span(93_784), "1 d 2 h"),
        (moment("2026-06-01T00:00:00Z"), "2026-06-01 00:00:00 UTC"),
        (ago("2026-06-01T00:08:00Z", NOW), "2 min ago"),
        (ago("2026-06-01T00:10:00Z", NOW), "just now"),
        (ago(None, NOW), "–"),
        (sentence("its source answers"), "Its source answers"),
        (sentence("s3://bucket is away"), "s3://bucket is away"),
        (sentence("max_rows is 3"), "max_rows is 3"),
    ],
)
def test_numbers_are_words(text: str, expected: str) -> None:
    """Two units are enough for a person."""
    assert text == expected
