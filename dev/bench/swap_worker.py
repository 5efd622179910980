"""A worker without a server: it attaches what main offers and tells when it serves it.

    python -m dev.bench.swap_worker <address> <worker> <switch>

It prints `<generation> <nanoseconds of CLOCK_MONOTONIC>` for each generation it sees committed.
The first byte of the file `switch` says whether the next ones are made anew as a whole.
"""

from __future__ import annotations

import mmap
import os
import sys
import time

from offloader.service.worker.attachment import Attachment
from offloader.service.worker.generation import Generation

START_SECONDS = 120.0
LOOK_SECONDS = 0.001


class SwitchedAttachment(Attachment):
    """An attachment that takes nothing over from the generation before while a switch is on."""

    def __init__(self, address: str, worker: int, switch: mmap.mmap) -> None:
        super().__init__(address, worker, lambda: os._exit(0))
        self._switch = switch

    def _newest(self) -> Generation | None:
        return None if self._switch[0] else super()._newest()


def main(address: str, worker: str, path: str) -> None:
    """Attach and tell, until main is gone."""
    descriptor = os.open(path, os.O_RDONLY)
    switch = mmap.mmap(descriptor, 1, prot=mmap.PROT_READ)
    attachment = SwitchedAttachment(address, int(worker), switch)
    if not attachment.start(START_SECONDS):
        sys.exit("nothing was attached in time")
    seen = 0
    while True:
        generation = attachment.generation()
        if generation is not None and generation.number != seen:
            seen = generation.number
            print(seen, time.monotonic_ns(), flush=True)
        time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    main(*sys.argv[1:])
