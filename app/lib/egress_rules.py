"""The rules of the egress policy: which addresses are not on the public network, and which ones operators may allow.

Without Django: the reader of the environment validates REFDESK_EGRESS_ALLOW with the same rules.
"""

import ipaddress
import re
import socket
from dataclasses import dataclass
from functools import lru_cache

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_DENIED_IPV4 = (
    "0.0.0.0/8",  # this host
    "10.0.0.0/8",  # private
    "100.64.0.0/10",  # carriers' NAT; metadata of Alibaba Cloud
    "127.0.0.0/8",  # loopback
    "168.63.129.16/32",  # wire server and DNS of Azure
    "169.254.0.0/16",  # link-local; metadata of most clouds
    "172.16.0.0/12",  # private
    "192.0.0.0/24",  # protocol assignments; metadata of Oracle Cloud
    "192.0.2.0/24",  # documentation
    "192.31.196.0/24",  # AS112
    "192.52.193.0/24",  # AMT
    "192.88.99.0/24",  # 6to4 relays
    "192.168.0.0/16",  # private
    "192.175.48.0/24",  # AS112
    "198.18.0.0/15",  # benchmarks of networks
    "198.51.100.0/24",  # documentation
    "203.0.113.0/24",  # documentation
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, and broadcast
)
# Only global unicast (2000::/3) is accepted, so that other ranges need no entry: loopback and IPv4-compatible
# (::/96), discard (100::/64), SRv6 (5f00::/16), unique local, link-local, site-local, multicast.
_GLOBAL_IPV6 = ipaddress.IPv6Network("2000::/3")
_DENIED_IPV6 = (
    "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
    "2001:db8::/32",  # documentation
    "2002::/16",  # 6to4
    "2620:4f:8000::/48",  # AS112
    "3fff::/20",  # documentation
)
_DENIED = tuple(ipaddress.ip_network(network) for network in (*_DENIED_IPV4, *_DENIED_IPV6))
# Prefixes with an IPv4 address in the last 32 bits, to which the packet is routed.
_EMBEDDING = (ipaddress.IPv6Network("::ffff:0:0/96"), ipaddress.IPv6Network("64:ff9b::/96"))
# Names that a network gives its own machines; a name without a dot is another container's.
INNER_NAMES = (
    "localhost",
    "local",
    "localdomain",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
    "home.arpa",
)
HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_](?:[a-z0-9_-]{0,62}))*")
NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)\Z")


@dataclass(frozen=True, slots=True)
class Allowed:
    """Addresses that operators allow in addition to public ones: hosts, hosts at one port, networks."""

    hosts: frozenset[str]
    ports: frozenset[tuple[str, int]]
    networks: tuple[Network, ...]

    def host(self, host: str, port: int) -> bool:
        return host in self.hosts or (host, port) in self.ports

    def address(self, address: Address) -> bool:
        return any(address in network for network in self.networks if network.version == address.version)


@lru_cache(maxsize=8)
def allowed_read(text: str) -> Allowed:
    """Parse REFDESK_EGRESS_ALLOW: hosts, host:port and CIDRs, separated by commas.

    Raises:
        ValueError: an entry is none of these.
    """
    hosts, ports, networks = set(), set(), []
    for entry in (each.strip().lower() for each in text.split(",")):
        if not entry:
            continue
        if "/" in entry:
            networks.append(ipaddress.ip_network(entry))
            continue
        host, port = _entry_read(entry)
        if port is None:
            hosts.add(host)
        else:
            ports.add((host, port))
    return Allowed(frozenset(hosts), frozenset(ports), tuple(networks))


def _entry_read(entry: str) -> tuple[str, int | None]:
    """Split a host from its port; an IPv6 address with a port stands in brackets."""
    try:
        return str(ipaddress.ip_address(entry.strip("[]"))), None
    except ValueError:
        host, colon, port = entry.rpartition(":")
    if not colon:
        host, port = entry, ""
    host = host.strip("[]").removesuffix(".")
    if not HOST.fullmatch(host) and not _is_address(host):
        raise ValueError(
            f"must be hosts, host:port and networks such as 10.0.0.0/8 with commas between; {entry} is none"
        )
    if colon and not (port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(f"must have ports from 1 to 65535; {entry} has none")
    return host, int(port) if colon else None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def address_denied(address: Address) -> bool:
    """Return whether an address is outside the public network."""
    if isinstance(address, ipaddress.IPv6Address):
        if any(address in network for network in _EMBEDDING):
            return address_denied(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in _GLOBAL_IPV6:
            return True
    return any(address in network for network in _DENIED if network.version == address.version) or _is_own(address)


def _is_own(address: Address) -> bool:
    """Return whether the address is this machine's own: its services may rely on a firewall in front of them."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        # No packet is sent: the kernel selects a route, and a route to an address of its own starts at that address.
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), 9))
            return ipaddress.ip_address(probe.getsockname()[0]) == address
    except OSError:
        return False
