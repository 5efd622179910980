"""ETags: a strong name for a body, known before the query runs."""

from __future__ import annotations

import xxhash

# Raised whenever the same inputs would be answered with other bytes.
ENCODING_VERSION = 2


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
    # Digests and names hold no bar, and a tenant is quoted: no two inputs make the same text.
    inputs = (
        f"{ENCODING_VERSION}|{endpoint_digest}|{manifest_digest}|{stale:d}|{representation}"
        f"|{tenant!a}|{canonical}"
    )
    return f'"{xxhash.xxh3_128_hexdigest(inputs.encode())}"'
