"""Which addresses this program may talk to: the public Internet on ports 80 and 443, and what was named.

Private, loopback, link-local, shared and reserved addresses are refused, also where they hide in mapped, NAT64, 6to4
or Teredo addresses or in old spellings (decimal, octal, hex) that resolvers still take. Nothing here sends a byte
beyond the look-up of a name.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass

_NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
_PORTS = frozenset({80, 443})


class Refusal(Exception):
    """The guard's refusal: the address is not one that this program may talk to. Nothing was sent."""


@dataclass(frozen=True)
class Guard:
    """Which addresses may be dialled: public ones on the web's ``ports``, and the ``host:port`` pairs named."""

    allowed: frozenset[str] = frozenset()
    ports: frozenset[int] = _PORTS

    def named(self, host: str, port: int) -> bool:
        """Whether this very host and port was named in the settings."""
        return f"{host.lower()}:{port}" in self.allowed

    def check_target(self, host: str, port: int) -> None:
        """Before any look-up: raises Refusal for an unusual port, and for an address written out that is not public."""
        if port not in self.ports and not self.named(host, port):
            raise Refusal(f"cổng {port} không được phép")
        if _is_numeric(host):
            self.check(host, port, [_literal(host)])

    def check(self, host: str, port: int, addresses: Iterable[str]) -> list[str]:
        """The addresses, all of them public; raises Refusal when one is not, or the port is unusual."""
        found = list(addresses)
        if self.named(host, port):
            return found
        if port not in self.ports:
            raise Refusal(f"cổng {port} không được phép")
        if not found or not all(_public(address) for address in found):
            raise Refusal(f"«{host}» không phải địa chỉ công khai")
        return found

    async def resolve(self, host: str, port: int) -> list[str]:
        """The checked addresses of a host: resolved once, and these are the ones dialled. Raises Refusal, OSError."""
        try:
            infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except UnicodeError as error:
            raise OSError(str(error)) from error
        return self.check(host, port, dict.fromkeys(str(info[4][0]) for info in infos))


def _is_numeric(host: str) -> bool:
    """Whether a host is an address, or one of the old spellings (decimal, octal, hex) that resolvers still take."""
    last = host.rstrip(".").rpartition(".")[2].lower()
    return ":" in host or last.isdigit() or last.startswith("0x")


def _literal(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError as error:
        raise Refusal(f"«{host}» không phải địa chỉ viết đúng cách") from error


def _public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is not None or any(address in network for network in _NAT64):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved
