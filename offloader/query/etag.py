"""ETags: a strong name for a body, known before the query runs."""

from __future__ import annotations

from json import JSONEncoder

import xxhash

# Raised whenever the same inputs would be answered with other bytes.
ENCODING_VERSION = 1

_canonical_json = JSONEncoder(separators=(",", ":")).encode


def etag(
    endpoint_digest: str,
    canonical: str,
    tenant: str | None,
    manifest_digest: str,
    stale: bool,
    representation: str,
) -> str:
    """Return the quoted ETag of a body: xxh3-128 hex of everything the body is a function of.

    `canonical` is the bound request's; `representation` names the format and the content coding.
    The same on every worker, replica and restart.
    """
    inputs = [
        ENCODING_VERSION,
        endpoint_digest,
        canonical,
        tenant,
        manifest_digest,
        stale,
        representation,
    ]
    return f'"{xxhash.xxh3_128_hexdigest(_canonical_json(inputs).encode())}"'
