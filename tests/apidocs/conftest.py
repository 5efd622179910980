"""The documented project, as a catalog and as a service."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from offloader.catalog.documents import load_catalog
from offloader.catalog.model import Catalog
from tests.apidocs.documented import Documented, documented_project
from tests.service_process import running


@pytest.fixture(scope="session")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Documented]:
    folder = tmp_path_factory.mktemp("documented")
    with running(documented_project(folder / "project"), folder / "cache", workers="1") as service:
        yield Documented(service)


@pytest.fixture(scope="session")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    found, _ = load_catalog(documented_project(tmp_path_factory.mktemp("catalog")))
    return found
