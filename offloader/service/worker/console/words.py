"""Numbers as words for people: amounts, sizes, spans of time, moments."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = ("KiB", "MiB", "GiB", "TiB")
_SPANS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
NOTHING = "–"


def amount(count: float | None) -> str:
    """Return a whole number with its thousands apart; a dash for None."""
    return NOTHING if count is None else f"{count:,.0f}"


def size(count: float | None) -> str:
    """Return a number of bytes in three digits or so; a dash for None."""
    if count is None:
        return NOTHING
    if count < 1024:
        return f"{count:.0f} B"
    for unit in _UNITS:
        count /= 1024
        if count < 1024 or unit == _UNITS[-1]:
            break
    return f"{count:.0f} {unit}" if count >= 100 else f"{count:.1f} {unit}"


def span(seconds: float | None) -> str:
    """Return a span of time in its two largest units; a dash for None."""
    if seconds is None:
        return NOTHING
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms" if seconds > 0 else "0 s"
    words: list[str] = []
    left = int(seconds)
    for length, unit in _SPANS:
        if left >= length or (unit == "s" and not words):
            words.append(f"{left // length} {unit}")
            left %= length
        elif words:
            break
        if len(words) == 2:
            break
    return " ".join(words)


def milliseconds(seconds: float | None) -> str:
    """Return a short time in milliseconds, three digits; a dash for None."""
    return NOTHING if seconds is None else f"{seconds * 1000:.3g} ms"


def moment(text: str | None) -> str:
    """Return an ISO 8601 time as day and time, in UTC; a dash for None."""
    if not text:
        return NOTHING
    return _read(text).strftime("%Y-%m-%d %H:%M:%S UTC")


def ago(text: str | None, now: float) -> str:
    """Return how long ago an ISO 8601 time was; `now` is seconds since the epoch."""
    if not text:
        return NOTHING
    passed = max(0.0, now - _read(text).timestamp())
    return "just now" if passed < 1 else f"{span(passed)} ago"


def plural(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun."""
    return f"{amount(count)} {one if count == 1 else many or one + 's'}"


def sentence(text: str) -> str:
    """Return a text with a capital, unless it begins with a name, a path or an id."""
    first = text.partition(" ")[0].rstrip(",.;")
    return text[:1].upper() + text[1:] if first.isalpha() and first.islower() else text


def _read(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
