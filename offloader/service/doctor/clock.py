"""The clock, against times that others wrote down: none of them can lie in the future. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from offloader.service.doctor.finding import Check, Finding

TOLERATED_SECONDS = 60.0


def check_clock(now: float, told_at: Mapping[str, float]) -> Finding:
    """Compare `now`, seconds since the epoch, with times by the name of who wrote them down."""
    check = Check("environment", "clock")
    hint = "synchronise the machine's clock (NTP); ages, keys' ends and signatures depend on it"
    if not told_at:
        return check.ok("nobody else's clock is there to compare it with")
    ahead = {name: at - now for name, at in told_at.items() if at - now > TOLERATED_SECONDS}
    if not ahead:
        return check.ok(f"not behind {len(told_at)} of others, as far as they have told")
    name = max(ahead, key=lambda one: ahead[one])
    message = f"{name} is {ahead[name]:.0f} seconds in the future: this clock is behind, or theirs"
    return check.warn("clock_behind", f"{message} is ahead", hint)
