"""Fixtures of the service layer's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from offloader.service.main import attach_server
from offloader.service.main.attach_server import AttachServer
from offloader.service.main.generations import Generations
from offloader.shared.control import ControlBlock
from offloader.shared.slots import Slots
from tests.service.loaded import Loaded, loaded
from tests.service.swapping import LONG_SECONDS, NOW_SECONDS, Entries

LIMIT_BYTES = 1 << 30


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """A project of one dataset."""
    return loaded(tmp_path_factory.mktemp("generations"))


@pytest.fixture(scope="module")
def entries(made: Loaded) -> Entries:
    """Four snapshots of about the same size."""
    return [made.publish("alpha", f"s{number}", 100 + number) for number in range(4)]


@pytest.fixture
def control() -> Iterator[ControlBlock]:
    """A control block, closed after the test."""
    block = ControlBlock()
    yield block
    block.close()


@pytest.fixture
def generations(made: Loaded, control: ControlBlock) -> Generations:
    """Nothing held yet, and room for everything."""
    return Generations(made.cache, control, LIMIT_BYTES, lambda: NOW_SECONDS)


@pytest.fixture
def wait() -> Iterator[Callable[..., str]]:
    """Run `await_workers` in a thread, do something meanwhile, return its answer."""
    with ThreadPoolExecutor(1) as pool:

        def wait_and(generations: Generations, number: int, *steps: Callable[[], None]) -> str:
            answer = pool.submit(generations.await_workers, number, LONG_SECONDS)
            for step in steps:
                step()
            return answer.result(timeout=LONG_SECONDS / 2)

        yield wait_and


@pytest.fixture
def server(generations: Generations, control: ControlBlock) -> Iterator[AttachServer]:
    """A started server of two workers; a test decides whether it is let in."""
    slots = Slots(2)
    made = AttachServer(generations, control, slots)
    made.start()
    yield made
    made.close()
    slots.close()


@pytest.fixture
def let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take this process itself for a child of main."""
    monkeypatch.setattr(attach_server, "is_own_child", lambda _connection: True)
