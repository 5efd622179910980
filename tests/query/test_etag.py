"""ETags: equal for equal bodies, different as soon as one input differs."""

from __future__ import annotations

import re
from typing import Any

import pytest

from offloader.query.etag import etag

INPUTS: dict[str, Any] = {
    "endpoint_digest": "e" * 32,
    "canonical": "[{},50,0,[]]",
    "tenant": "acme",
    "manifest_digest": "d" * 32,
    "stale": False,
    "representation": "json",
}


def test_an_etag_is_strong_quoted_and_always_the_same() -> None:
    """It follows from its inputs alone, on every worker, replica and restart."""
    assert etag(**INPUTS) == '"9f42f3c3024f967792f936f2ab948044"'
    assert re.fullmatch(r'"[0-9a-f]{32}"', etag(**INPUTS))


@pytest.mark.parametrize(
    "change",
    [
        {"endpoint_digest": "f" * 32},
        {"canonical": "[{},51,0,[]]"},
        {"tenant": "acme2"},
        {"tenant": None},
        {"tenant": "null"},
        {"tenant": ""},
        {"manifest_digest": "c" * 32},
        {"stale": True},
        {"representation": "ndjson"},
        {"representation": "json+gzip"},
        {"canonical": '[{},50,0,[]]","acme', "tenant": ""},
    ],
    ids=str,
)
def test_every_input_counts(change: dict[str, Any]) -> None:
    """Contract, request, tenant, snapshot, stale bit and representation are all covered."""
    assert etag(**(INPUTS | change)) != etag(**INPUTS)


def test_inputs_do_not_run_into_each_other() -> None:
    """Moving text from one input to its neighbour makes another ETag."""
    moved = INPUTS | {"endpoint_digest": "e" * 31, "canonical": "e" + INPUTS["canonical"]}
    assert etag(**moved) != etag(**INPUTS)
