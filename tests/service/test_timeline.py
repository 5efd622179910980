"""Rules of the timeline: the newest events stay, and one failure does not fill it."""

from __future__ import annotations

from itertools import count

from offloader.service.timeline import MOST_EVENTS, Event, Timeline


def made() -> Timeline:
    """Return a timeline whose clock moves a second with each event."""
    seconds = count(1)
    return Timeline(lambda: float(next(seconds)))


def test_an_event_is_what_was_said_and_when() -> None:
    """Nothing is left out, the duration to a tenth of a millisecond."""
    timeline = made()
    timeline.add(
        "swapped",
        "usage",
        by="operator",
        from_snapshot="s1",
        to_snapshot="s2",
        seconds=0.123456,
        generation=7,
    )
    assert timeline.events == (
        Event(1.0, "swapped", "usage", "operator", "s1", "s2", "", "", 0.1235, 7),
    )


def test_only_the_newest_stay() -> None:
    """Fifty, oldest first, whatever was remembered at the start."""
    before = [Event(0.5, "swapped", to_snapshot=f"s{number}") for number in range(60)]
    timeline = Timeline(lambda: 1.0, before)
    timeline.add("swapped", "usage", to_snapshot="new")
    assert len(timeline.events) == MOST_EVENTS
    assert [one.to_snapshot for one in timeline.events][::49] == ["s11", "new"]


def test_a_failure_takes_the_place_of_the_same_before_it() -> None:
    """A source that fails with one code and another in turns is one event, the latest."""
    timeline = made()
    timeline.add("swapped", "usage", to_snapshot="s1")
    for code in ("store_busy", "store_unreachable", "store_busy"):
        timeline.add("failed", "usage", code=code)
        timeline.add("failed", "other", code=code)
    told = [(one.at, one.kind, one.dataset, one.code) for one in timeline.events]
    assert told == [
        (1.0, "swapped", "usage", ""),
        (6.0, "failed", "usage", "store_busy"),
        (7.0, "failed", "other", "store_busy"),
    ]


def test_a_failure_of_another_snapshot_or_after_a_recovery_is_news() -> None:
    """What was in between is not forgotten, and a message has its bounds."""
    timeline = made()
    timeline.add("refused", "usage", to_snapshot="s1", message="x" * 900)
    timeline.add("refused", "usage", to_snapshot="s2")
    timeline.add("recovered", "usage")
    timeline.add("refused", "usage", to_snapshot="s2")
    assert [one.kind for one in timeline.events] == ["refused", "refused", "recovered", "refused"]
    assert len(timeline.events[0].message) == 500
