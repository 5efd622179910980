"""Which addresses https:// may lead to: those of the internet, and of no network behind it."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable

import pytest

from offloader.stores.public_address import Host, addresses_of, is_public
from offloader.stores.store import StoreDenied, StoreFailed
from tests.stores.subject import code_of

PUBLIC = ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
PRIVATE = [
    "10.0.0.1", "172.16.0.1", "192.168.1.1", "127.0.0.1", "127.9.9.9", "169.254.169.254",
    "100.64.0.1", "100.100.100.200", "0.0.0.0", "0.1.2.3", "224.0.0.1", "239.1.1.1", "240.0.0.1",
    "255.255.255.255", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
    "::", "::1", "fe80::1", "fe80::1%2", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1",
    "2001:db8::1", "100::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1",
    "::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b::a00:1", "64:ff9b:1::1", "2002:7f00:1::",
    "2002:a9fe:a9fe::1", "2001:0:1::1",
]  # fmt: skip


@pytest.mark.parametrize("text", PUBLIC)
def test_addresses_of_the_internet_are_public(text: str) -> None:
    """An address that anyone on the internet can reach is public."""
    assert is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", PRIVATE)
def test_all_others_are_not(text: str) -> None:
    """Private, loopback, link-local, shared, multicast, reserved, and IPv6 that stands for such."""
    assert not is_public(ipaddress.ip_address(text))


def _resolving(*texts: str) -> Callable[..., list[tuple[object, ...]]]:
    return lambda *_, **__: [(0, 0, 0, "", (text, 443)) for text in texts]


def test_a_host_is_all_its_addresses() -> None:
    """One address that is private among others refuses the host, unless it is listed."""
    host = Host("data.example", 8443)
    mixed = _resolving("1.1.1.1", "1.1.1.1", "10.0.0.1")
    assert code_of(StoreDenied, addresses_of, host, (), mixed) == "address_private"
    for listed in ("data.example", "data.example:8443"):
        assert addresses_of(host, (listed,), mixed) == ("1.1.1.1", "10.0.0.1")
    for other in ("data.example:443", "example", "10.0.0.1", "x.data.example"):
        assert code_of(StoreDenied, addresses_of, host, (other,), mixed) == "address_private"


def test_the_refusal_says_which_setting_allows_it() -> None:
    """The hint names the host as it is to be listed."""
    with pytest.raises(StoreDenied) as refusal:
        addresses_of(Host("::1", 8443), (), _resolving("::1"))
    assert refusal.value.hint == "if that is meant, add [::1]:8443 to OFFLOADER_HTTPS_HOSTS"


def test_a_name_has_at_most_four_addresses() -> None:
    """More are not tried."""
    many = _resolving(*(f"1.1.1.{number}" for number in range(1, 9)))
    found = addresses_of(Host("data.example", 443), (), many)
    assert found == ("1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4")


def test_a_private_address_behind_many_public_ones_counts() -> None:
    """All addresses are judged, also those that would not be tried."""
    many = _resolving(*(f"1.1.1.{number}" for number in range(1, 9)), "10.0.0.1")
    host = Host("data.example", 443)
    assert code_of(StoreDenied, addresses_of, host, (), many) == "address_private"


@pytest.mark.parametrize("error", [socket.gaierror(-2, "s3cret"), UnicodeError("s3cret")])
def test_a_name_without_an_address_is_unreachable(error: Exception) -> None:
    """A name that does not resolve is tried again later, so it is no refusal."""

    def fail(*_: object, **__: object) -> list[tuple[object, ...]]:
        raise error

    for resolve in (fail, _resolving()):
        with pytest.raises(StoreFailed) as refusal:
            addresses_of(Host("nowhere.example", 443), (), resolve)
        assert type(refusal.value) is StoreFailed
        assert str(refusal.value).startswith(
            "[store_unreachable] https://nowhere.example cannot be reached: its name has no address"
        )


@pytest.mark.parametrize(
    ("text", "host", "shown"),
    [
        ("Data.Example", Host("data.example", 443), "data.example"),
        ("data.example.:8443", Host("data.example", 8443), "data.example:8443"),
        ("[::1]:443", Host("::1", 443), "[::1]"),
        ("10.0.0.7:1", Host("10.0.0.7", 1), "10.0.0.7:1"),
    ],
)
def test_hosts_are_read(text: str, host: Host, shown: str) -> None:
    """Case, a last dot and the usual port make no difference."""
    assert (Host.parse(text), str(host)) == (host, shown)


def test_odd_ways_to_write_loopback_are_judged_by_what_they_resolve_to() -> None:
    """Numbers that the system's resolver takes for 127.0.0.1 are refused as that is."""
    for text in ("127.1", "2130706433", "0x7f000001", "127.0.0.1"):
        host = Host.parse(text)
        assert code_of(StoreDenied, addresses_of, host, ()) == "address_private"
