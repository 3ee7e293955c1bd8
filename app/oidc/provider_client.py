"""Asking the provider: within seconds, a few bytes, and nobody but the host that was asked.

The issuer is set by who runs the box, so it is trusted to be an address of their choice; what it answers is not.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from asgiref.sync import async_to_sync
from django.db import connection

from app.errors import RefdeskError

# All of a call: name, connection, headers and the last byte. A provider answers in a tenth of a second.
LIMIT_S = 5.0
LARGEST_ANSWER = 512 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    media_type: str
    content: bytes

    def json(self) -> dict[str, Any]:
        """Raises RefdeskError sign_in_failed when it is not a JSON object."""
        try:
            found = orjson.loads(self.content)
        except orjson.JSONDecodeError:
            found = None
        if not isinstance(found, dict):
            raise RefdeskError("sign_in_failed", "The sign-in provider answered with something that is not JSON.")
        return found


def provider_ask(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    limit_s: float = LIMIT_S,
) -> Answer:
    """One request, from a thread. Redirects are answers like others: a secret must not travel on.

    Raises:
        RefdeskError: provider_unavailable when no whole answer came in time, or it was too large.
    """
    # The wait must not hold one of the pool's few connections.
    if not connection.in_atomic_block:
        connection.close()
    return async_to_sync(_ask)(method, url, headers, form, limit_s)


async def _ask(
    method: str, url: str, headers: Mapping[str, str] | None, form: Mapping[str, str] | None, limit_s: float
) -> Answer:
    try:
        # A session of its own: sign-ins are rare, and the loop may end with this call.
        async with (
            asyncio.timeout(limit_s),
            aiohttp.ClientSession(trust_env=False, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.request(
                method, url, headers=_headers(headers), data=form and dict(form), allow_redirects=False
            ) as answer,
        ):
            content = bytearray()
            async for part in answer.content.iter_chunked(64 * 1024):
                content += part
                if len(content) > LARGEST_ANSWER:
                    raise RefdeskError("provider_unavailable", "The sign-in provider's answer is too large.")
            return Answer(answer.status, answer.content_type, bytes(content))
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        raise RefdeskError("provider_unavailable", retry_after_s=10) from error


def _headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    # What is not compressed cannot unfold into more than was counted.
    return {"Accept": "application/json", "Accept-Encoding": "identity", **(headers or {})}
