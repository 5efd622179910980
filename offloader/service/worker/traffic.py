"""What every endpoint has answered since the start, summed over all workers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from offloader.service.worker.view import View
from offloader.shared.slots import BUCKETS_SECONDS, Counts

BOUNDS_SECONDS = (*BUCKETS_SECONDS, 30.0)  # the last one stands for all that took longer


@dataclass(frozen=True, slots=True)
class Traffic:
    """One endpoint's counts. `buckets` are requests by BOUNDS_SECONDS, each without those below.

    `refused` were answered 4xx, `failed` 5xx.
    """

    endpoint: str
    requests: int
    refused: int
    failed: int
    seconds: float
    rows_scanned: int
    buckets: tuple[int, ...]

    @property
    def mean_seconds(self) -> float | None:
        """The mean time to answer; None without a request."""
        return self.seconds / self.requests if self.requests else None

    @property
    def rows_per_request(self) -> float | None:
        """How many rows an answer looks at; None without a request."""
        return self.rows_scanned / self.requests if self.requests else None


def traffic_of(view: View) -> tuple[Traffic, ...]:
    """Return the traffic of each endpoint, those with most requests first.

    The empty name stands for requests that belong to no endpoint.
    """
    rows = {"": 0, **(view.generation.rows if view.generation else {})}
    found = [_traffic(name, view.slots.totals(row)) for name, row in rows.items()]
    return tuple(sorted(found, key=lambda one: (-one.requests, one.endpoint)))


def total_of(traffic: Iterable[Traffic]) -> Traffic:
    """Return all traffic as one."""
    every = tuple(traffic)
    return Traffic(
        "",
        sum(one.requests for one in every),
        sum(one.refused for one in every),
        sum(one.failed for one in every),
        sum(one.seconds for one in every),
        sum(one.rows_scanned for one in every),
        tuple(sum(column) for column in zip(*(one.buckets for one in every), strict=True)),
    )


def quantile_seconds(buckets: Sequence[int], share: float) -> float | None:
    """Return the time within which a share of the requests was answered; None without any.

    Inside a bucket they are taken as evenly spread.
    """
    wanted, passed, lower = share * sum(buckets), 0.0, 0.0
    if not wanted:
        return None
    for count, upper in zip(buckets, BOUNDS_SECONDS, strict=True):
        if count and passed + count >= wanted:
            return lower + (upper - lower) * (wanted - passed) / count
        passed, lower = passed + count, upper
    return BOUNDS_SECONDS[-1]


def _traffic(name: str, counts: Counts) -> Traffic:
    by_class = {"4": 0, "5": 0}
    requests = 0
    for status, count in counts.statuses():
        requests += count
        by_class[status[0]] = by_class.get(status[0], 0) + count
    below = [0, *(count for _, count in counts.buckets())]
    return Traffic(
        endpoint=name,
        requests=requests,
        refused=by_class["4"],
        failed=by_class["5"],
        seconds=counts.duration_seconds,
        rows_scanned=counts.rows_scanned,
        buckets=tuple(after - before for before, after in pairwise(below)),
    )
