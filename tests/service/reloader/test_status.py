"""What the reloader tells of each dataset."""

from __future__ import annotations

from offloader.service.reloader.status import UNREACHABLE_CODES
from tests.docs.raised_codes import raised_codes

# What a store said of an object's content, or what was not asked of a source at all.
OF_CONTENT = {
    "download_called_off",
    "object_changed",
    "object_checksum_differs",
    "object_content_differs",
    "object_exists",
    "object_too_large",
    "store_read_only",
    "url_invalid",
}


def test_every_failure_of_a_store_is_one_of_the_source() -> None:
    """Whatever a store raises counts as an unreachable source, but what is said of content."""
    raised = {code for code, place in raised_codes().items() if "offloader/stores/" in place}
    assert raised - UNREACHABLE_CODES == OF_CONTENT
