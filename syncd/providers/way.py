"""The addresses that a provider's host name may have, judged at every connection: a name's addresses may change.

A provider is on the internet. A name that suddenly leads into this machine's own network (a poisoned or rebound name)
would hand customers and credentials to a server there. So such an address is refused, unless the settings allow it: by
`private = true`, or by the address itself (or localhost) in the URL. Link-local addresses are always refused: clouds
serve their metadata there.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class PrivateAddressError(ConnectionError):
    """A provider's name has no address that is allowed; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Way:
    """How the hosts of one provider are reached. `private`: also inside the own network. `sockets`: a directory with a
    unix socket `HOST.sock` for each, where this process has no network; "" where it has."""

    private: bool = False
    sockets: str = ""

    def socket_of(self, host: str) -> str:
        """The path of the unix socket for this host."""
        if "/" in host or host in {"", ".", ".."}:
            raise ConnectionError("no host name")
        return f"{self.sockets}/{host}.sock"

    def addresses(self, host: str, port: int) -> Sequence[str]:
        """The addresses of `host` that are allowed. Raises `PrivateAddressError` where none is."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise ConnectionError("the name does not resolve") from None
        known = [str(entry[4][0]) for entry in found]
        private = self.private or is_address(host) or host == "localhost"
        allowed = [text for text in known if _may_be_reached(_address(text), private=private)]
        if known and not allowed:
            raise PrivateAddressError("the name leads into a private network")
        return allowed


OPEN_WAY = Way()


def is_address(host: str) -> bool:
    """Whether a host of a URL is an address and no name."""
    try:
        _address(host)
    except ValueError:
        return False
    return True


def _address(text: str) -> Address:
    return ipaddress.ip_address(text.strip("[]").split("%", maxsplit=1)[0])


def _may_be_reached(address: Address, *, private: bool) -> bool:
    inner = _inside(address)
    if inner.is_link_local or inner.is_multicast or inner.is_unspecified:
        return False
    return private or (inner.is_global and address.is_global) or (inner is not address and inner.is_global)


def _inside(address: Address) -> Address:
    """The IPv4 address in an IPv6 address (mapped, 6to4 or NAT64); the address itself where there is none."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
