"""The egress policy: which entered addresses may be requested (model servers, later websites and webhooks).

An address is checked by its text, its host is resolved once, every address of the answer is checked against an explicit
table (egress_rules.py), and the connection goes to a checked address (egress_http.py). Addresses that an operator
allows in REFDESK_EGRESS_ALLOW are not checked further. `ipaddress.is_global` cannot replace the table: it accepts
addresses that route inward.

No error reveals which address a name has, or whether it has one.
"""

import contextlib
import ipaddress
import logging
import re
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from app.errors import Upstream
from app.lib.egress_rules import HOST, INNER_NAMES, NUMBER, Address, Allowed, address_denied, allowed_read

log = logging.getLogger(__name__)

PORTS = {"http": 80, "https": 443}
LONGEST_URL = 2000
RESOLVE_S = 5.0


class AddressRefused(Upstream):
    """An entered address that the policy refuses to request."""

    default_code = "address_refused"


@dataclass(frozen=True, slots=True)
class Target:
    """The target of a checked address. `address` is set when the host is a number and not a name."""

    host: str
    port: int
    address: Address | None = None


def url_check(url: str) -> Target:
    """Check an address by its text, and its host when that is a number.

    Raises:
        AddressRefused: a scheme or port other than the web's, credentials, a spelling that programs read in different
            ways, a number or a name that leads inward.
    """
    if len(url) > LONGEST_URL or not url.isascii() or re.search(r"[\x00-\x20\x7f\\]", url):
        raise _refused("its spelling")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refused("its spelling") from None
    if parts.scheme not in PORTS:
        raise _refused("its scheme", "Use an address that begins with http:// or https://.")
    if "@" in parts.netloc or "%" in parts.netloc:
        raise _refused("its spelling", "Leave credentials out of the address.")
    target = _target(parts.hostname or "", PORTS[parts.scheme] if port is None else port)
    if target.address is not None:
        addresses_check(target.host, target.port, [target.address])
        return target
    allowed = allowed_now()
    # When a network is allowed, only resolving the name can show whether the name leads there.
    if not allowed.host(target.host, target.port) and not allowed.networks:
        if "." not in target.host or target.host.endswith(tuple(f".{name}" for name in INNER_NAMES)):
            raise _refused("its name", host=target.host)
        _port_check(target.host, target.port)
    return target


def entered_url_check(url: str) -> None:
    """Check an address when it is entered, in a thread. A name without an address is accepted: it may get one later.

    Raises:
        AddressRefused.
    """
    target = url_check(url)
    if target.address is not None:
        return
    answers: list[str] = []
    # Saving a form does not wait longer for an unreachable name service; each connection is checked again.
    asking = threading.Thread(target=_addresses_ask, args=(target.host, target.port, answers), daemon=True)
    asking.start()
    asking.join(RESOLVE_S)
    if answers:
        addresses_check(target.host, target.port, addresses_read(answers))


def _addresses_ask(host: str, port: int, answers: list[str]) -> None:
    with contextlib.suppress(OSError):
        answers += [str(answer[4][0]) for answer in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def addresses_read(answers: Sequence[str]) -> list[Address]:
    """Parse the answers of a name service. A scope id occurs only with a link-local address, which is always denied."""
    return [ipaddress.ip_address(answer.partition("%")[0]) for answer in answers]


def _target(host: str, port: int) -> Target:
    host = host.removesuffix(".")
    if not 0 < port < 65536:
        raise _refused("its port")
    if ":" in host:
        try:
            address = ipaddress.IPv6Address(host)
            return Target(str(address), port, address)
        except ValueError:
            raise _refused("its spelling") from None
    if not HOST.fullmatch(host):
        raise _refused("its spelling")
    if not NUMBER.match(host.rpartition(".")[2]):
        return Target(host, port)
    try:
        return Target(host, port, ipaddress.IPv4Address(host))
    except ValueError:
        # 127.1, 0x7f000001, 017700000001: programs read these differently.
        raise _refused("its spelling") from None


def _port_check(host: str, port: int) -> None:
    if port not in PORTS.values():
        raise _refused("its port", "Use port 80 or 443.", host=host)


def addresses_check(host: str, port: int, addresses: Sequence[Address]) -> None:
    """Check every address that a host has.

    Raises:
        AddressRefused: one of them is denied, or there is none.
    """
    allowed = allowed_now()
    if allowed.host(host, port):
        return
    outside = [address for address in addresses if not allowed.address(address)]
    if not addresses or any(address_denied(address) for address in outside):
        raise _refused("its network", host=host)
    if outside:
        _port_check(host, port)


def allowed_now() -> Allowed:
    return allowed_read(settings.EGRESS_ALLOW)


def _refused(why: str, hint: str = "", *, host: str = "") -> AddressRefused:
    log.info("an address is refused for %s%s", why, f": {host}" if host else "")
    message = f"This address cannot be used because of {why}."
    return AddressRefused(message=f"{message} {hint}".strip())
