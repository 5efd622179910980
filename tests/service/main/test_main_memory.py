"""Rules of main's start: what the cache holds is served, what is damaged or too large is not."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from offloader.errors import OutOfMemoryBudget
from offloader.service.generation_document import Document
from offloader.service.main import offers, part_store
from offloader.service.main.memory import MainMemory, load_first_generation
from offloader.service.main.part_store import PartName, PartStore, unlimited
from offloader.service.main.warm_start import warm_document
from offloader.service.quarantine import quarantined_parts
from offloader.service.state import load_state
from offloader.settings.settings import Settings, read_settings
from offloader.shared.control import ControlReader, Word
from offloader.shared.memory import copy_of_file
from tests.service.loaded import Loaded, loaded

START_US = 1_700_000_000_000_000


@pytest.fixture
def warm(tmp_path: Path) -> tuple[Loaded, dict[str, Document]]:
    """A cache with three datasets, the second of them by far the largest."""
    made = loaded(tmp_path, ["alpha", "beta", "gamma"])
    rows = {"alpha": 50, "beta": 5000, "gamma": 100}
    return made, {name: made.publish(name, "s0001", count) for name, count in rows.items()}


def settings(made: Loaded, memory_limit_bytes: int = 1 << 30) -> Settings:
    """Return settings of two workers, with a limit that the environment might not accept."""
    environ = {
        "OFFLOADER_CONFIG": str(made.project.root),
        "OFFLOADER_CACHE_DIR": str(made.cache.root),
        "OFFLOADER_WORKERS": "2",
        "OFFLOADER_ADMIN_TOKEN": "a-token-for-tests",
    }
    found, _ = read_settings(environ, is_terminal=False, cpus=2, memory_bytes=1 << 31)
    return replace(found, memory_limit_bytes=memory_limit_bytes)


def served(memory: MainMemory) -> dict[str, Any]:
    """Return the entries of the committed generation."""
    return dict(memory.server._generations.committed_document()["snapshots"])


def start(made: Loaded, memory_limit_bytes: int = 1 << 30) -> MainMemory:
    """Start main over what the cache holds."""
    chosen = settings(made, memory_limit_bytes)
    return load_first_generation(chosen, made.project, made.cache, made.cache.state, unlimited)


def test_everything_the_cache_holds_is_served_from_the_start(
    warm: tuple[Loaded, dict[str, Document]],
) -> None:
    """The first generation is committed before any worker runs, and the words say so."""
    made, entries = warm
    memory = start(made)
    assert served(memory) == entries
    control = ControlReader(memory.control.descriptor)
    assert control.generation() == 1
    assert control[Word.WORKERS] == memory.slots.workers == 2
    assert control[Word.LIMIT_BYTES] == 1 << 30
    assert control[Word.SHARED_BYTES] == sum(made.size_bytes(n, e) for n, e in entries.items())
    assert control[Word.STARTED_AT_US] > START_US
    assert control[Word.COMMITTED_AT_US] >= control[Word.STARTED_AT_US]


def test_a_cold_start_serves_a_generation_without_snapshots(tmp_path: Path) -> None:
    """Workers always have something to attach."""
    made = loaded(tmp_path)
    memory = start(made)
    assert served(memory) == {}
    assert memory.control.generation() == 1


@pytest.mark.parametrize("number", [0, 1], ids=["columns part", "path part"])
def test_a_damaged_part_is_put_away_and_the_others_are_served(
    warm: tuple[Loaded, dict[str, Document]], number: int
) -> None:
    """Its dataset waits to be built again; the damaged file lies in quarantine with the reason."""
    made, entries = warm
    path = made.paths("alpha", entries["alpha"])[number]
    spoilt = bytearray(path.read_bytes())
    spoilt[64] ^= 1
    path.write_bytes(spoilt)
    memory = start(made)
    assert set(served(memory)) == {"beta", "gamma"}
    assert memory.control.generation() == 1
    assert not path.exists()
    away = made.cache.root / "quarantine" / "alpha"
    (reason,) = away.glob("*.reason")
    assert reason.read_text().startswith("section ")
    assert (away / reason.name.removesuffix(".reason")).read_bytes() == spoilt
    assert quarantined_parts(made.cache, "alpha") == 1


def test_every_damaged_part_of_a_dataset_is_put_away_at_once(
    warm: tuple[Loaded, dict[str, Document]],
) -> None:
    """One build then mends them all, and sound parts stay where they are."""
    made, entries = warm
    first, *others = made.paths("beta", entries["beta"])
    for path in (first, others[-1]):
        spoilt = bytearray(path.read_bytes())
        spoilt[64] ^= 1
        path.write_bytes(spoilt)
    start(made)
    assert quarantined_parts(made.cache, "beta") == 2
    assert [path.exists() for path in others] == [True] * (len(others) - 1) + [False]


def test_a_part_that_vanishes_before_it_is_loaded_costs_its_dataset_only(
    warm: tuple[Loaded, dict[str, Document]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look into the cache and the load a file may go; main starts all the same."""
    made, entries = warm
    looked = iter([warm_document(made.cache, made.project, load_state(made.cache.state))])

    def late(*arguments: Any) -> Document:
        return next(looked, None) or warm_document(*arguments)

    made.paths("alpha", entries["alpha"])[1].unlink()
    monkeypatch.setattr("offloader.service.main.memory.warm_document", late)
    memory = start(made)
    assert set(served(memory)) == {"beta", "gamma"}


def test_a_dataset_that_does_not_fit_is_mapped(
    warm: tuple[Loaded, dict[str, Document]],
) -> None:
    """Everything is served from the start; the largest are mapped, whatever their place."""
    made, entries = warm
    sizes = {name: made.size_bytes(name, entry) for name, entry in entries.items()}
    both = sizes["alpha"] + sizes["gamma"]
    for limit_bytes, shared_bytes in [(both, both), (both - 1, sizes["alpha"]), (1, 0)]:
        memory = start(made, limit_bytes)
        assert served(memory) == entries
        assert memory.control[Word.SHARED_BYTES] == shared_bytes
        assert memory.control[Word.MAPPED_BYTES] == sum(sizes.values()) - shared_bytes


def test_a_dataset_that_can_neither_be_loaded_nor_mapped_is_left_out(
    warm: tuple[Loaded, dict[str, Document]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are served; its parts are sound and stay where they are."""
    made, entries = warm

    def refuse(_store: PartStore, _name: PartName) -> None:
        raise OutOfMemoryBudget("memory_limit", "no")

    monkeypatch.setattr(PartStore, "map", refuse)
    sizes = {name: made.size_bytes(name, entry) for name, entry in entries.items()}
    memory = start(made, sizes["alpha"] + sizes["gamma"])
    assert set(served(memory)) == {"alpha", "gamma"}
    assert quarantined_parts(made.cache, "beta") == 0


def test_memory_that_cannot_be_had_costs_no_dataset(
    warm: tuple[Loaded, dict[str, Document]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel may have less than the limit says; what it refuses is mapped."""
    made, entries = warm

    def scarce(name: str, source: int) -> tuple[int, int]:
        if os.fstat(source).st_size > 20_000:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        return copy_of_file(name, source)

    monkeypatch.setattr(part_store, "copy_of_file", scarce)
    memory = start(made)
    assert served(memory) == entries
    assert memory.control[Word.MAPPED_BYTES] == made.size_bytes("beta", entries["beta"])


def test_a_machine_without_memory_for_anything_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is an end to leaving out."""
    made = loaded(tmp_path)

    def spent(_name: str, _content: bytes) -> int:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(offers, "memory_of", spent)
    with pytest.raises(OSError, match="Cannot allocate memory"):
        start(made)


@pytest.mark.parametrize("damage", ["state", "manifest"])
def test_what_is_not_known_for_sure_is_built_again(
    warm: tuple[Loaded, dict[str, Document]], damage: str
) -> None:
    """Without its state or the manifest it was built from, a dataset is cold."""
    made, _ = warm
    if damage == "state":
        made.cache.state.write_text("{")
    else:
        for path in (made.cache.root / "manifests" / "alpha").iterdir():
            path.write_text(path.read_text().replace("s0001", "s0009"))
    memory = start(made)
    assert set(served(memory)) == (set() if damage == "state" else {"beta", "gamma"})
