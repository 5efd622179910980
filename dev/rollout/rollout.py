"""One rollout: each instance goes out, stops, comes back as the new release, and is asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dev.rollout.front import Front
from dev.rollout.instance import Instance

# How nginx learns that an instance goes away; the first is the example's.
WAYS = ("switch", "reload", "passive", "marking")


@dataclass(frozen=True, slots=True)
class Way:
    """What is done at nginx before an instance stops, and once it is back; both may be nothing."""

    name: str
    before: Callable[[Front, Instance], None]
    after: Callable[[Front, Instance], None]


def way_called(name: str) -> Way:
    """Return one of the WAYS: put out by file, `down` and reload, or leave it to nginx."""
    if name == "switch":
        return Way(
            name,
            lambda front, one: front.put_out(one.name),
            lambda front, one: front.take_back(one.name),
        )
    if name == "reload":
        return Way(
            name,
            lambda front, one: front.reload(down=one.address),
            lambda front, _one: front.reload(),
        )
    return Way(name, lambda _front, _one: None, lambda _front, _one: None)


def roll_out(front: Front, instances: Sequence[Instance], version: int, way: Way) -> float:
    """Bring a release to every instance, one after the other; return the seconds it took."""
    began = time.monotonic()
    for one in instances:
        way.before(front, one)
        one.stop()
        one.start(version)
        one.check(version)
        way.after(front, one)
    return time.monotonic() - began
