"""Clients of Valkey: one for each event loop, one for all threads, both with a timeout of a second."""

import asyncio
from functools import cache
from weakref import WeakKeyDictionary

from django.conf import settings
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

VALKEY_S = 1.0
# One immediate retry: a pooled connection is dead after a restart. The client's own default would wait for seconds.
RETRIES = 1

_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, "AsyncRedis"] = WeakKeyDictionary()


def valkey() -> "AsyncRedis":
    """Return the running loop's client."""
    loop = asyncio.get_running_loop()
    client = _clients.get(loop)
    if client is None:
        retry = AsyncRetry(NoBackoff(), RETRIES)
        client = AsyncRedis.from_url(
            settings.VALKEY_URL, socket_timeout=VALKEY_S, socket_connect_timeout=VALKEY_S, retry=retry
        )
        _clients[loop] = client
    return client


async def valkey_close() -> None:
    """Close the running loop's client."""
    client = _clients.pop(asyncio.get_running_loop(), None)
    if client is not None:
        await client.aclose()


@cache
def _threads_client(address: str) -> "Redis":
    retry = Retry(NoBackoff(), RETRIES)
    return Redis.from_url(address, socket_timeout=VALKEY_S, socket_connect_timeout=VALKEY_S, retry=retry)


def valkey_in_threads() -> "Redis":
    """Return the client for code that runs in threads."""
    return _threads_client(settings.VALKEY_URL)
