"""The console over documents made by hand, on a port of the kernel's choice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from unittest import mock

from offloader.service.worker.traffic import Traffic
from offloader.web.console import routes
from tests.web.admin_app import TOKEN, AdminApp, admin_app
from tests.web.console_scenes import NOW, document, traffic


@dataclass(slots=True)
class Scene:
    """What the page is made of; a test may change it while the page is open."""

    document: dict[str, Any] = field(default_factory=document)
    traffic: Sequence[Traffic] = field(default_factory=lambda: (traffic(),))
    now: float = NOW


@dataclass(frozen=True, slots=True)
class ConsoleSite:
    """Where the console answers, and what it shows."""

    app: AdminApp
    scene: Scene

    @property
    def url(self) -> str:
        """The page."""
        return f"http://127.0.0.1:{self.app.address[1]}/"


@contextmanager
def console_site(token: str | None = TOKEN) -> Iterator[ConsoleSite]:
    """Serve the console until the block ends."""
    scene = Scene()
    looks: dict[str, Any] = {
        "diagnostics": lambda _view, _now: scene.document,
        "traffic_of": lambda _view: scene.traffic,
        "time": SimpleNamespace(time=lambda: scene.now),
    }
    with admin_app(token=token) as app, mock.patch.multiple(routes, **looks):
        yield ConsoleSite(app, scene)
