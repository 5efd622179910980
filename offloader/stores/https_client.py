"""Requests to one https:// host: checked addresses, verified TLS, redirects followed by hand.

Nothing is ever sent along but what the URL says: no cookies, no authorization, no proxy.
"""

from __future__ import annotations

import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from urllib.parse import quote, urljoin, urlsplit

from urllib3 import BaseHTTPResponse, PoolManager, Timeout
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from offloader.errors import SourceUnavailable
from offloader.stores.answers import reason_of
from offloader.stores.public_address import Host, addresses_of
from offloader.stores.store import StoreDenied, StoreFailed, unreachable

MAX_REDIRECTS = 5
CONNECTIONS = 64
# Names are resolved again after this long, and when an address cannot be connected to.
RESOLVED_SECONDS = 30.0
_POOLS = 32
_REDIRECTS = (301, 302, 303, 307, 308)
_REST_BYTES = 4096
_LONE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")

Find = Callable[[Host, Sequence[str]], tuple[str, ...]]


class HttpsClient:
    """Asks one host, and those it may redirect to. Any thread may use it.

    `allowed` are hosts that may lie at private addresses and be redirected to; `find` resolves.
    """

    def __init__(
        self,
        host: Host,
        allowed: Sequence[str],
        seconds: tuple[float, float],
        *,
        find: Find = addresses_of,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host, self._allowed, self._find, self._clock = host, tuple(allowed), find, clock
        self._found: dict[Host, tuple[float, tuple[str, ...]]] = {}
        self._lock = threading.Lock()
        self._pools = PoolManager(
            num_pools=_POOLS,
            maxsize=CONNECTIONS,
            retries=False,
            timeout=Timeout(connect=seconds[0], read=seconds[1]),
            ssl_context=ssl.create_default_context(),
        )

    @contextmanager
    def ask(
        self, method: str, key: str, headers: Mapping[str, str] | None = None
    ) -> Iterator[BaseHTTPResponse]:
        """Give the answer of where redirects end, its body unread; `key` is path[?query].

        Raises StoreDenied `address_private`, `redirect_refused`; StoreFailed `store_unreachable`.
        """
        url = f"https://{self._host}"
        try:
            response = self._follow(method, _target(key), headers or {})
            try:
                yield response
            finally:
                _finish(response)
        except SourceUnavailable:
            raise
        except (HTTPError, OSError) as error:
            raise unreachable(url, reason_of(error)) from None

    def _follow(self, method: str, target: str, headers: Mapping[str, str]) -> BaseHTTPResponse:
        host = self._host
        for _ in range(MAX_REDIRECTS + 1):
            response = self._send(host, method, target, headers)
            if response.status not in _REDIRECTS:
                return response
            _finish(response)
            host, target = self._next(host, target, response.headers.get("location", ""))
        raise self._refused("leads to more than five others")

    def _next(self, host: Host, target: str, location: str) -> tuple[Host, str]:
        """Return where a redirect leads; raises StoreDenied `redirect_refused`."""
        try:
            parts = urlsplit(urljoin(f"https://{host}{target}", location))
            following = Host.parse(parts.netloc)
        except (ValueError, StoreDenied):
            raise self._refused("leads to no host") from None
        if not location or parts.scheme != "https":
            raise self._refused("does not lead to an https:// URL")
        if following != self._host and not following.is_listed(self._allowed):
            hint = f"if that is meant, add {following} to OFFLOADER_HTTPS_HOSTS"
            raise self._refused("leads to another host", hint)
        query = f"?{parts.query}" if parts.query else ""
        return following, f"{parts.path or '/'}{query}"

    def _refused(self, how: str, hint: str = "name the place it leads to") -> StoreDenied:
        message = f"https://{self._host} answers with a redirect that {how}"
        return StoreDenied("redirect_refused", message, hint)

    def _send(
        self, host: Host, method: str, target: str, headers: Mapping[str, str]
    ) -> BaseHTTPResponse:
        """Ask the first address that can be connected to."""
        failure: NewConnectionError | ConnectTimeoutError | None = None
        for address in self._addresses(host):
            # A pool for each address: the name is for TLS and the head only, never resolved again.
            pool = self._pools.connection_from_host(
                address, host.port, "https", {"server_hostname": host.name}
            )
            try:
                return pool.urlopen(
                    method,
                    target,
                    headers={"host": str(host), "accept-encoding": "identity", **headers},
                    redirect=False,
                    preload_content=False,
                    decode_content=False,
                )
            except (NewConnectionError, ConnectTimeoutError) as error:
                failure = error
        with self._lock:
            self._found.pop(host, None)
        raise failure or StoreFailed("store_unreachable", f"https://{host} has no address")

    def _addresses(self, host: Host) -> tuple[str, ...]:
        now = self._clock()
        with self._lock:
            found = self._found.get(host)
        if found is None or now - found[0] > RESOLVED_SECONDS:
            found = now, self._find(host, self._allowed)
            with self._lock:
                self._found[host] = found
        return found[1]


def _target(key: str) -> str:
    """Return the request target of a key: %41 stays, a blank, a # and a lone % are encoded."""
    return "/" + quote(_LONE_PERCENT.sub("%25", key), safe="%/:?@!$&'()*+,;=-._~[]")


def _finish(response: BaseHTTPResponse) -> None:
    """Close an answer; its connection is used again when little or nothing of the body is left."""
    with suppress(HTTPError, OSError):
        left = response.length_remaining
        if left is not None and left <= _REST_BYTES:
            # The second finds the end; more would wait for a server that drips.
            response.read1(_REST_BYTES, decode_content=False)
            response.read1(_REST_BYTES, decode_content=False)
    response.close()
