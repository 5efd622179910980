"""What a start says: version, ports, a first request, and what is still to be loaded."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlencode

from offloader import __version__
from offloader.catalog.model import Catalog
from offloader.service.apidocs.examples import KEY_VARIABLE
from offloader.service.apidocs.samples import sample_params

SHOWN_NAMES = 20
_HERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclass(frozen=True, slots=True)
class Start:
    """What is known when the ports are bound, and what the cache held is loaded.

    `api` and `admin` are hosts and ports, `served` the datasets with a snapshot.
    """

    catalog: Catalog
    api: tuple[str, int]
    admin: tuple[str, int]
    workers: int
    served: Collection[str]

    @property
    def loading(self) -> list[str]:
        """The datasets without a snapshot, by name."""
        return sorted(set(self.catalog.datasets) - set(self.served))

    @property
    def example(self) -> str | None:
        """A command that asks the first endpoint; None when the project has none."""
        return example(self.catalog, url_of(self.api))


def example(catalog: Catalog, url: str) -> str | None:
    """Return a command line that asks the first endpoint by name, with a key from `API_KEY`."""
    if not catalog.endpoints:
        return None
    endpoint = catalog.endpoints[min(catalog.endpoints)]
    key = f'-H "Authorization: Bearer ${KEY_VARIABLE}" ' if catalog.auth_required else ""
    # Percent-encoded: nothing in it would end the quotes.
    query = urlencode(sample_params(endpoint))
    return f"curl {key}'{url}/v1/endpoints/{endpoint.name}?{query}'"


def banner(start: Start) -> str:
    """Return the lines that a terminal shows."""
    catalog, loading = start.catalog, start.loading
    lines = [
        f"Offloader {__version__}",
        f"  API    {url_of(start.api)}  {_count(len(catalog.endpoints), 'endpoint')},"
        f" {_count(start.workers, 'worker')}",
        f"  admin  {url_of(start.admin)}  the console; /docs explains the API",
        f"  data   {_loading(len(catalog.datasets), loading)}",
    ]
    if start.example is not None:
        lines.append(f"  try    {start.example}")
        if catalog.auth_required:
            lines.append(f"         {KEY_VARIABLE} is one of the project's keys")
    return "\n".join(lines)


def url_of(address: tuple[str, int]) -> str:
    """Return the URL by which this machine reaches a bound address."""
    host, port = address
    host = _HERE.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _loading(datasets: int, loading: list[str]) -> str:
    if not loading:
        return f"{_count(datasets, 'dataset')}, loaded from the cache"
    names = ", ".join(loading[:SHOWN_NAMES])
    more = len(loading) - SHOWN_NAMES
    rest = f" and {more} more" if more > 0 else ""
    return f"{_count(datasets, 'dataset')}, loading {names}{rest}"


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"
