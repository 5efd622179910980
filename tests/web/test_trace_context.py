"""What counts as a `traceparent` (W3C Trace Context, level 1): anything else is as if not sent."""

from __future__ import annotations

import pytest

from offloader.web.trace_context import TraceParent, read_traceparent, trace_fields

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
VALID = {
    "sampled": (f"00-{TRACE}-{SPAN}-01", "01"),
    "not sampled": (f"00-{TRACE}-{SPAN}-00", "00"),
    "flags that are not known yet": (f"00-{TRACE}-{SPAN}-ff", "ff"),
    "a later version": (f"01-{TRACE}-{SPAN}-01", "01"),
    "the last version": (f"fe-{TRACE}-{SPAN}-01", "01"),
    "a later version with more": (f"cc-{TRACE}-{SPAN}-01-what the future holds", "01"),
    "a later version with nothing more": (f"cc-{TRACE}-{SPAN}-01-", "01"),
}
INVALID = {
    "nothing": "",
    "no version": f"{TRACE}-{SPAN}-01",
    "the version that is none": f"ff-{TRACE}-{SPAN}-01",
    "capitals": f"00-{TRACE.upper()}-{SPAN}-01",
    "no trace": f"00-{'0' * 32}-{SPAN}-01",
    "no parent": f"00-{TRACE}-{'0' * 16}-01",
    "a short trace": f"00-{TRACE[1:]}-{SPAN}-01",
    "a long trace": f"00-{TRACE}0-{SPAN}-01",
    "a short parent": f"00-{TRACE}-{SPAN[1:]}-01",
    "no flags": f"00-{TRACE}-{SPAN}",
    "half of the flags": f"00-{TRACE}-{SPAN}-1",
    "not hexadecimal": f"00-{'g' * 32}-{SPAN}-01",
    "flags that are no digits": f"00-{TRACE}-{SPAN}-.0",
    "more behind version 00": f"00-{TRACE}-{SPAN}-01-more",
    "a dash behind version 00": f"00-{TRACE}-{SPAN}-01-",
    "more without a dash": f"cc-{TRACE}-{SPAN}-01.what",
    "white space": f" 00-{TRACE}-{SPAN}-01",
    "a line end": f"00-{TRACE}-{SPAN}-01\n",
    "other separators": f"00_{TRACE}_{SPAN}_01",
    "far too long": f"cc-{TRACE}-{SPAN}-01-{'x' * 600}",
    "other digits": f"00-{'٠' * 31}1-{SPAN}-01",
}  # fmt: skip


@pytest.mark.parametrize("what", VALID)
def test_a_valid_one_is_taken_over(what: str) -> None:
    """Trace, span and flags, as they were sent."""
    sent, flags = VALID[what]
    assert read_traceparent(sent) == TraceParent(TRACE, SPAN, flags)
    assert trace_fields(sent) == {"trace_id": TRACE, "span_id": SPAN}


@pytest.mark.parametrize("what", INVALID)
def test_any_other_is_no_trace(what: str) -> None:
    """No part of it is used."""
    assert read_traceparent(INVALID[what]) is None
    assert trace_fields(INVALID[what]) == {}


def test_without_one_there_are_no_fields() -> None:
    """A line says nothing of a trace that nobody named."""
    assert trace_fields(None) == {}
