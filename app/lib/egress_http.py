"""HTTP to entered addresses: the session of http.py with the egress policy in its connector."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from app.lib.egress import RESOLVE_S, addresses_check, addresses_read, url_check

Lookup = Callable[[str, int], Awaitable[Sequence[str]]]


async def addresses_of(host: str, port: int) -> list[str]:
    """Resolve a host once with the system's name service. Raises OSError."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_S):
            answers = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError:
        raise OSError("the name service does not answer") from None
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


async def host_resolve(host: str, port: int, lookup: Lookup = addresses_of) -> list[str]:
    """Return the addresses of a host after checking all of them.

    Raises:
        AddressRefused: one of them is denied.
        OSError: the name has none.
    """
    found = await lookup(host, port)
    addresses_check(host, port, addresses_read(found))
    return list(found)


class EgressResolver(AbstractResolver):
    """Resolver that returns checked addresses only, so that no second resolution can change them."""

    def __init__(self, lookup: Lookup = addresses_of) -> None:
        self._lookup = lookup

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        results: list[ResolveResult] = []
        for address in await host_resolve(host.removesuffix("."), port, self._lookup):
            kind = socket.AF_INET6 if ":" in address else socket.AF_INET
            results.append(
                ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            )
        return results

    async def close(self) -> None:
        """Close nothing: no connection is open between two lookups."""


class EgressConnector(aiohttp.TCPConnector):
    """Connector that checks the address of each request, redirects included, before resolving the host."""

    def __init__(self, lookup: Lookup = addresses_of, **options: Any) -> None:
        super().__init__(resolver=EgressResolver(lookup), use_dns_cache=False, **options)

    async def connect(self, req: Any, *args: Any, **options: Any) -> Any:
        url_check(str(req.url))
        return await super().connect(req, *args, **options)
