"""How often each dataset's source is looked at."""

from __future__ import annotations

import random

import pytest

from offloader.catalog.model import DatabricksSource, Dataset
from offloader.service.reloader.schedule import Schedule
from offloader.service.state import Attempt


class Middle(random.Random):
    """Chance without any: the middle of every range."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


@pytest.mark.parametrize(
    ("dataset", "seconds"),
    [
        (Dataset("usage", (), manifest="manifest.json"), 30.0),
        (Dataset("usage", (), manifest="manifest.json", refresh_interval_seconds=5.0), 5.0),
        (Dataset("usage", (), source=DatabricksSource("lake", "usage", 7.0)), 7.0),
    ],
)
def test_a_dataset_is_looked_at_at_its_own_interval(dataset: Dataset, seconds: float) -> None:
    """That of `refresh` or of `source`, else the setting's."""
    schedule = Schedule(30.0, Middle())
    schedule.know(["usage"])
    schedule.begin("usage")
    schedule.plan(dataset, Attempt(), 100.0, is_overtaken=False, is_now=False)
    assert schedule.due(100.0 + seconds - 0.001) == []
    assert schedule.due(100.0 + seconds) == ["usage"]
