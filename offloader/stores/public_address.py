"""Which addresses a host has, and whether they are public: https:// leads to no private network.

A name is resolved once, and the very addresses that were judged are connected to: a name that
resolves to another address the next time (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from offloader.stores.store import StoreDenied, StoreFailed, unreachable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[..., Sequence[tuple[Any, ...]]]
MAX_ADDRESSES = 4
_HTTPS_PORT = 443
_MAX_NAME = 253
# RFC 6052, 2.1: where only IPv6 is spoken, IPv4 addresses stand in the last four bytes of these.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# The registries of special-purpose addresses (RFC 6890) as they are now, for what the library
# knows of them differs between patch releases; and of IPv6 nothing but global unicast.
_NOT_PUBLIC_4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
_UNICAST_6 = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    ipaddress.IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "3fff::/20")
)


@dataclass(frozen=True, slots=True)
class Host:
    """A host and port of an https:// URL; `name` is lowercase, an IPv6 address without brackets."""

    name: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Host:
        """Read host[:port]; raises StoreDenied `host_invalid`."""
        try:
            parts = urlsplit(f"https://{text}")
            name, port = (parts.hostname or "").rstrip("."), parts.port
            is_plain = parts.netloc == text and text.isascii() and text.isprintable()
        except ValueError:
            name, port, is_plain = "", None, False
        is_named = 0 < len(name) <= _MAX_NAME and not set(text) & set("@ \\%")
        if not is_named or port == 0 or not is_plain:
            hint = "write https://host/path or https://host:port/path, other alphabets as xn--"
            raise StoreDenied("host_invalid", "an https:// URL names no such host", hint)
        return cls(name, port or _HTTPS_PORT)

    def __str__(self) -> str:
        return self._bare if self.port == _HTTPS_PORT else f"{self._bare}:{self.port}"

    @property
    def _bare(self) -> str:
        return f"[{self.name}]" if ":" in self.name else self.name

    def is_listed(self, hosts: Sequence[str]) -> bool:
        """Say whether a list of hosts, each with a port or without, has this one."""
        return self._bare in hosts or f"{self._bare}:{self.port}" in hosts


def addresses_of(
    host: Host, allowed: Sequence[str], resolve: Resolver = socket.getaddrinfo
) -> tuple[str, ...]:
    """Return the addresses of a host, at most MAX_ADDRESSES, none twice.

    Raises StoreDenied `address_private` when one of them is not public and the host is not
    allowed that, StoreFailed `store_unreachable` when it has none.
    """
    try:
        answers = resolve(host.name, host.port, type=socket.SOCK_STREAM)
        found = tuple(dict.fromkeys(str(answer[4][0]) for answer in answers))
        addresses = [ipaddress.ip_address(text) for text in found]
    except (OSError, UnicodeError, ValueError):
        raise _unknown(host) from None
    if not found:
        raise _unknown(host)
    if not host.is_listed(allowed) and not all(map(is_public, addresses)):
        message = f"https://{host} has an address that is private or reserved"
        hint = f"if that is meant, add {host} to OFFLOADER_HTTPS_HOSTS"
        raise StoreDenied("address_private", message, hint)
    return found[:MAX_ADDRESSES]


def is_public(address: Address) -> bool:
    """Say whether an address belongs to the internet, not to a network, a machine or no one.

    An IPv6 address that stands for an IPv4 address is judged as that.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    inner = _embedded(address)
    if inner is not None:
        return is_public(inner)
    is_odd = any(address in network for network in _NOT_PUBLIC_6)
    return address in _UNICAST_6 and not is_odd


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that is meant: mapped (RFC 4291), NAT64, 6to4 (RFC 3056)."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


def _unknown(host: Host) -> StoreFailed:
    return unreachable(f"https://{host}", "its name has no address")
