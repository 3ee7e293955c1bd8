"""One aiohttp session per event loop, shared by everything in the web process that asks another server."""

import asyncio
from weakref import WeakKeyDictionary

import aiohttp

CONNECT_S = 3.0  # a server on this host or in this network answers in milliseconds, or is not there
KEEPALIVE_S = 30.0

_sessions: WeakKeyDictionary[asyncio.AbstractEventLoop, aiohttp.ClientSession] = WeakKeyDictionary()


def http_session() -> aiohttp.ClientSession:
    """The running loop's session: no limit on connections, no cookies, no proxy of the environment.

    A caller sets its own total time: the session only limits how long connecting takes.
    """
    loop = asyncio.get_running_loop()
    session = _sessions.get(loop)
    if session is None or session.closed:
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_S, ttl_dns_cache=60),
            timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_S, sock_connect=CONNECT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )
        _sessions[loop] = session
    return session


async def http_session_close() -> None:
    """Close the running loop's session, if it has one."""
    session = _sessions.pop(asyncio.get_running_loop(), None)
    if session is not None:
        await session.close()
