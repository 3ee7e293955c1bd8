"""Requests to the provider: limited in time and size, and to no other host.

The box's operators set the issuer, so its address is trusted; its responses are not.
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

# The limit of a whole call: name, connection, headers and last byte. A provider responds in a tenth of a second.
LIMIT_S = 5.0
LARGEST_RESPONSE = 512 * 1024


@dataclass(frozen=True, slots=True)
class ProviderResponse:
    status: int
    media_type: str
    content: bytes

    def json(self) -> dict[str, Any]:
        """Return the content as an object. Raises RefdeskError sign_in_failed when it is not a JSON object."""
        try:
            payload = orjson.loads(self.content)
        except orjson.JSONDecodeError:
            payload = None
        if not isinstance(payload, dict):
            raise RefdeskError("sign_in_failed", "The sign-in provider answered with something that is not JSON.")
        return payload


def provider_request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    limit_s: float = LIMIT_S,
) -> ProviderResponse:
    """Send one request, from a thread. Redirects are returned, not followed: a secret must not go to another host.

    Raises:
        RefdeskError: provider_unavailable when the response was not complete in time, or too large.
    """
    # The wait must not occupy one of the pool's few connections.
    if not connection.in_atomic_block:
        connection.close()
    return async_to_sync(_ask)(method, url, headers, form, limit_s)


async def _ask(
    method: str, url: str, headers: Mapping[str, str] | None, form: Mapping[str, str] | None, limit_s: float
) -> ProviderResponse:
    try:
        # A client session per call: sign-ins are rare, and the event loop may end with this call.
        async with (
            asyncio.timeout(limit_s),
            aiohttp.ClientSession(trust_env=False, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.request(
                method, url, headers=_headers(headers), data=form and dict(form), allow_redirects=False
            ) as response,
        ):
            content = bytearray()
            async for part in response.content.iter_chunked(64 * 1024):
                content += part
                if len(content) > LARGEST_RESPONSE:
                    raise RefdeskError("provider_unavailable", "The sign-in provider's answer is too large.")
            return ProviderResponse(response.status, response.content_type, bytes(content))
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        raise RefdeskError("provider_unavailable", retry_after_s=10) from error


def _headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    # Without compression the content cannot expand beyond the counted bytes.
    return {"Accept": "application/json", "Accept-Encoding": "identity", **(headers or {})}
