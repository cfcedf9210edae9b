"""From which address somebody comes: what the front door says, where it is the front door that says it."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
LOOPBACK: tuple[Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


def client_address(peer: str | None, forwarded: str | None, front_door: Sequence[Network]) -> Address | None:
    """The client's. `forwarded` (X-Forwarded-For) is believed of a peer within `front_door` alone, and of it only
    what the nearest proxy added, the last; else it is the peer's own. None when even that is not known."""
    nearest = read_address(peer)
    if forwarded and nearest is not None and within(nearest, front_door):
        return read_address(forwarded.rpartition(",")[2]) or nearest
    return nearest


def read_address(text: str | None) -> Address | None:
    """None for what is no address; an IPv4 address in IPv6's clothes is the IPv4 address."""
    try:
        address = ip_address((text or "").strip())
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or IPv6Address(int(address))
    return address


def within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def households(address: Address | None) -> tuple[tuple[str, int], ...]:
    """Whose address this may be, and how many times as much as a single address it is allowed: IPv6 gives a
    customer a /64 at least, and many a whole /48."""
    if isinstance(address, IPv6Address):
        return tuple(
            (str(ip_network((int(address), prefix), strict=False)), times) for prefix, times in _IPV6
        )
    return ((str(address), 1),)


_IPV6 = ((64, 1), (48, 4))
