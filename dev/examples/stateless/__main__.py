"""Start a bucket, two replicas with nothing mounted, and a publisher; show what clients see.

python -m dev.examples.stateless [--seconds N] [--every N] [--rows N] [--ports 4000]
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from dev.emulators import GcsEmulator, gcs_emulator
from dev.examples.stateless.publisher import Publisher
from dev.examples.stateless.replica import Answer, Replica, replica

BUCKET = "demo"
TARGET = "/v1/endpoints/orders_by_shop?shop=berlin"
ASK_SECONDS = 0.1
SHARE_SECONDS = 30.0
# The second looks less often: it comes when the first has shared what it built.
LOOK_SECONDS = (0.3, 4.0)
LINE = "{:>8}  {:>7}  {:<8}  {:>10}  {:<28}  {:>10}  {}"


def main(argv: list[str] | None = None) -> int:
    """Run the example until Ctrl-C or for `--seconds`; return 0."""
    parser = argparse.ArgumentParser(prog="stateless", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, help="how long; default: until Ctrl-C")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between snapshots")
    parser.add_argument("--rows", type=int, default=200_000, help="rows of a snapshot")
    parser.add_argument("--ports", type=int, default=4000, help="the first of four; 0: any")
    arguments = parser.parse_args(argv)
    with suppress(KeyboardInterrupt), gcs_emulator() as emulator:
        _show(emulator, arguments)
    print("stopped", flush=True)
    return 0


def _show(emulator: GcsEmulator, arguments: argparse.Namespace) -> None:
    emulator.make_bucket(BUCKET)
    _say(f"gs://{BUCKET} is an emulator at {emulator.url}")
    publisher = Publisher(lambda key, content: emulator.put(BUCKET, key, content), arguments.rows)
    publisher.put_project()
    _say(f"{publisher.publish()} is published, {arguments.rows:,} rows")
    with (
        started(1, emulator, arguments.ports) as first,
        started(2, emulator, arguments.ports) as second,
        publishing(publisher, arguments.every) as published,
    ):
        _say(f"\n  curl 'http://{first.api}{TARGET}'\n")
        _say(LINE.format("time", "replica", "snapshot", "orders", "ETag", "seen after", "was"))
        watch((first, second), published, arguments.seconds)


@contextmanager
def started(number: int, emulator: GcsEmulator, ports: int) -> Iterator[Replica]:
    """Run a replica with an empty cache of its own until the block ends."""
    with (
        tempfile.TemporaryDirectory(prefix="stateless-") as cache,
        replica(f"replica {number}", environment(number, emulator, ports, cache)) as made,
    ):
        seconds = made.wait_until_ready()
        how = "built it" if made.built else "fetched it from the segment store"
        _say(f"{made.name} is ready after {seconds:.1f} s: its cache was empty, it {how}")
        if made.built:  # so that the next one finds it
            made.has_shared.wait(SHARE_SECONDS)
        yield made


def environment(number: int, emulator: GcsEmulator, ports: int, cache: str) -> Mapping[str, str]:
    """Return all that a replica is told; `ports` 0 lets the system choose them."""
    api, admin = (ports + 2 * number - 2, ports + 2 * number - 1) if ports else (0, 0)
    return {
        **emulator.environ,
        "OFFLOADER_CONFIG": f"gs://{BUCKET}/project",
        "OFFLOADER_CONFIG_SYNC_INTERVAL": "2",
        "OFFLOADER_SEGMENT_STORE": f"gs://{BUCKET}/segments",
        "OFFLOADER_REFRESH_INTERVAL": str(LOOK_SECONDS[number - 1]),
        "OFFLOADER_CACHE_DIR": str(Path(cache) / "cache"),
        "OFFLOADER_API_HOST": "127.0.0.1",
        "OFFLOADER_API_PORT": str(api),
        "OFFLOADER_ADMIN_HOST": "127.0.0.1",
        "OFFLOADER_ADMIN_PORT": str(admin),
        "OFFLOADER_WORKERS": "1",
        "OFFLOADER_DRAIN_SECONDS": "0",
        "OFFLOADER_LOG_FORMAT": "json",
    }


@contextmanager
def publishing(publisher: Publisher, every_seconds: float) -> Iterator[Mapping[str, float]]:
    """Publish again and again while the block runs; give when each snapshot was published."""
    published: dict[str, float] = {}
    stop = threading.Event()

    def publish() -> None:
        while not stop.wait(every_seconds):
            published[publisher.publish()] = time.monotonic()

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield published
    finally:
        stop.set()
        thread.join()


def watch(
    replicas: tuple[Replica, ...], published: Mapping[str, float], seconds: float | None
) -> None:
    """Ask every replica all the time, and say what changed; a line for each change."""
    end = time.monotonic() + seconds if seconds else float("inf")
    seen: dict[str, str] = {}
    while time.monotonic() < end:
        for one in replicas:
            answer = one.ask(TARGET)
            if answer is None:
                _say(f"{one.name} gave no answer")
            elif seen.get(one.name) != answer.etag:
                seen[one.name] = answer.etag
                _say(line(one, answer, published.get(answer.snapshot_id)))
        time.sleep(ASK_SECONDS)


def line(one: Replica, answer: Answer, published_at: float | None) -> str:
    """Return what is shown of a change."""
    after = "" if published_at is None else f"{time.monotonic() - published_at:.1f} s"
    return LINE.format(
        time.strftime("%H:%M:%S"),
        one.name.removeprefix("replica "),
        answer.snapshot_id,
        f"{answer.row['orders']:,}",
        answer.etag,
        after,
        one.origin_of(answer.snapshot_id),
    )


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
