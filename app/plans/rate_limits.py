"""Rate limits of a plan, per minute. The ledger has a month's caps (app/plans/caps.py).

Each request of the API and each page counts against every limit of its caller: the organisation's, the
person's or visitor's share of it, and the key's own plan. One round trip to Valkey; none where no plan sets a limit.
"""

import ipaddress
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponseBase

from app.errors import RefdeskError
from app.lib.asgi.middleware_function import middleware
from app.lib.async_sql import fetch
from app.lib.gcra import Limit, RateLimitResult, limits_take, limits_take_in_thread

# A changed plan takes effect within this time.
PLAN_CACHE_S = 2.0
PLAN_CACHE_SIZE = 10_000


@dataclass(frozen=True, slots=True)
class Subject:
    """The subject of limits: a key, a person or a visitor of a widget, in one organisation."""

    organisation: UUID
    api_key: UUID | None = None
    user: UUID | None = None
    visitor: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits per minute, on requests and on model tokens; empty: no limit."""

    requests: tuple[Limit, ...] = ()
    tokens: tuple[Limit, ...] = ()


_PLANS = """
SELECT p.requests_per_minute, p.tokens_per_minute, p.person_requests_per_minute,
  own.requests_per_minute, own.tokens_per_minute
FROM accounts_organisation o JOIN plans_plan p ON p.name = o.plan_id
LEFT JOIN accounts_apikey k ON k.id = %(api_key)s AND k.organisation_id = o.id
LEFT JOIN plans_plan own ON own.name = k.plan_id
WHERE o.id = %(organisation)s
"""

_cache: dict[Subject, tuple[float, Limits]] = {}


async def limits_get(subject: Subject) -> Limits:
    entry = _cache.get(subject)
    if entry is not None and time.monotonic() - entry[0] < PLAN_CACHE_S:
        return entry[1]
    return _cache_store(subject, await fetch(_PLANS, _parameters(subject)))


def limits_get_in_thread(subject: Subject) -> Limits:
    entry = _cache.get(subject)
    if entry is not None and time.monotonic() - entry[0] < PLAN_CACHE_S:
        return entry[1]
    with connection.cursor() as cursor:
        cursor.execute(_PLANS, _parameters(subject))
        return _cache_store(subject, cursor.fetchall())


def _parameters(subject: Subject) -> dict[str, UUID | None]:
    return {"organisation": subject.organisation, "api_key": subject.api_key}


def _cache_store(subject: Subject, rows: Sequence[Sequence[Any]]) -> Limits:
    """Cache and return the limits of a subject. Raises RefdeskError not_found: the organisation was just deleted."""
    if not rows:
        raise RefdeskError("not_found")
    if len(_cache) >= PLAN_CACHE_SIZE:
        _cache.clear()
    limits = _limits(subject, *rows[0])
    _cache[subject] = time.monotonic(), limits
    return limits


def _limits(
    subject: Subject,
    requests: int | None,
    tokens: int | None,
    each: int | None,
    of_key: int | None,
    key_tokens: int | None,
) -> Limits:
    organisation, key = f"organisation:{subject.organisation}", f"key:{subject.api_key}"
    one = f"person:{subject.organisation}:{subject.user}"
    name = "person"
    if subject.visitor:
        one, name = f"visitor:{subject.organisation}:{subject.visitor}", "visitor"
    asked = [("organisation", organisation, requests), ("key", key, of_key)]
    if subject.user is not None or subject.visitor:
        asked.append((name, one, each))
    spent = [("organisation", organisation, tokens), ("key", key, key_tokens)]
    return Limits(_made("requests", asked), _made("tokens", spent))


def _made(what: str, wanted: Sequence[tuple[str, str, int | None]]) -> tuple[Limit, ...]:
    return tuple(Limit(name, f"refdesk:limit:{what}:{key}", most) for name, key, most in wanted if most)


async def request_count(request: HttpRequest, subject: Subject) -> None:
    """Count a request against the subject's limits, on an async route.

    Raises:
        RefdeskError: too_many_requests with retry_after_s.
    """
    limits = await limits_get(subject)
    if limits.requests:
        _admit_or_raise(request, await limits_take(limits.requests))


def request_count_in_thread(request: HttpRequest, subject: Subject) -> None:
    """Count a request against the subject's limits, in a thread. Raises as `request_count`."""
    limits = limits_get_in_thread(subject)
    if limits.requests:
        _admit_or_raise(request, limits_take_in_thread(limits.requests))


def _admit_or_raise(request: HttpRequest, result: RateLimitResult) -> None:
    request.rate_limit_result = result  # type: ignore[attr-defined]
    if not result.admitted:
        raise _refusal(result, "requests")


_LIMIT_TEXTS = {
    "organisation": "Your organisation's plan allows",
    "key": "This key's plan allows",
    "person": "One person may make",
    "visitor": "One visitor may make",
    "address": "One address may make",
}


def _refusal(result: RateLimitResult, what: str) -> RefdeskError:
    limit = result.limit
    message = f"{_LIMIT_TEXTS[limit.name]} {limit.most:,} {what} a minute."
    details = {"limit": limit.name, "per_minute": limit.most, "what": what}
    return RefdeskError("too_many_requests", message, details=details, retry_after_s=result.retry_s)


async def tokens_take(subject: Subject, tokens: int) -> bool:
    """Take a turn's most possible model tokens from the minute's limit; return whether there is a limit to settle.

    Raises:
        RefdeskError: too_many_requests with retry_after_s.
    """
    limits = (await limits_get(subject)).tokens
    if not limits:
        return False
    result = await limits_take(limits, cost=tokens)
    if not result.admitted:
        raise _refusal(result, "model tokens")
    return True


async def tokens_settle(subject: Subject, *, taken: int, used: int) -> None:
    """Give back the tokens that a turn took too much, or take the excess. taken: as given to `tokens_take`."""
    for limit in (await limits_get(subject)).tokens:
        await limits_take([limit], cost=used - min(taken, limit.most), force=True)


def address_prefix(address: str) -> str:
    """Return the prefix of an address that counts as one anonymous caller.

    For IPv4 it is the address: many homes and offices share one, and a wider prefix would limit their neighbours too.
    For IPv6 it is the /64: one home has 2^64 addresses.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def anonymous_request_count(request: HttpRequest) -> None:
    """Count a request against the limit of its address, at an endpoint that nobody has signed in to yet.

    Raises:
        RefdeskError: too_many_requests with retry_after_s.
    """
    prefix = address_prefix(str(request.META.get("REMOTE_ADDR", "")))
    limit = Limit("address", f"refdesk:limit:address:{prefix}", settings.DOOR_REQUESTS_PER_MINUTE)
    _admit_or_raise(request, limits_take_in_thread([limit]))


def _headers(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    result: RateLimitResult | None = getattr(request, "rate_limit_result", None)
    if result is not None:
        response["RateLimit-Limit"] = str(result.limit.most)
        response["RateLimit-Remaining"] = str(result.remaining)
        response["RateLimit-Reset"] = str(math.ceil(result.reset_s))
    return response


# Streams too: their headers go out with the first byte.
RateLimitMiddleware = middleware(_headers)
