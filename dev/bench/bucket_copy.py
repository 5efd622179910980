"""Copy what lies under a prefix of a bucket with Google's own client, one object after the other.

    python -m dev.bench.bucket_copy ENDPOINT BUCKET PREFIX ENDING FOLDER

Prints {"bytes": …, "seconds": …} of the copying alone.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from google.auth.credentials import AnonymousCredentials
from google.cloud import storage


def main(argv: list[str]) -> int:
    """Copy the objects whose names end so into a folder, and print how much it was."""
    endpoint, bucket, prefix, ending, folder = argv
    client = storage.Client(
        project="bench",
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        client_options={"api_endpoint": endpoint},
    )
    begin, size_bytes = time.perf_counter(), 0
    for blob in client.list_blobs(bucket, prefix=prefix):
        if blob.name.endswith(ending):
            blob.download_to_filename(str(Path(folder) / blob.name.replace("/", "_")))
            size_bytes += blob.size
    print(json.dumps({"bytes": size_bytes, "seconds": time.perf_counter() - begin}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
