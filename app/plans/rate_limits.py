"""What a plan lets a caller do in a minute. A month's caps are the ledger's (app/plans).

Each request of the API and each page takes one from every limit that holds for its caller: the organisation's, the
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

# A changed plan holds within this time.
PLAN_CACHE_S = 2.0
PLAN_CACHE_SIZE = 10_000


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is limited: a key, a person or a visitor of a widget, in one organisation."""

    organisation: UUID
    api_key: UUID | None = None
    user: UUID | None = None
    visitor: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """Per minute, of requests and of model tokens; empty: no limit."""

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

_known: dict[Subject, tuple[float, Limits]] = {}


async def limits_of(subject: Subject) -> Limits:
    known = _known.get(subject)
    if known is not None and time.monotonic() - known[0] < PLAN_CACHE_S:
        return known[1]
    return _keep(subject, await fetch(_PLANS, _parameters(subject)))


def limits_of_in_thread(subject: Subject) -> Limits:
    known = _known.get(subject)
    if known is not None and time.monotonic() - known[0] < PLAN_CACHE_S:
        return known[1]
    with connection.cursor() as cursor:
        cursor.execute(_PLANS, _parameters(subject))
        return _keep(subject, cursor.fetchall())


def _parameters(subject: Subject) -> dict[str, UUID | None]:
    return {"organisation": subject.organisation, "api_key": subject.api_key}


def _keep(subject: Subject, rows: Sequence[Sequence[Any]]) -> Limits:
    """Raises RefdeskError not_found: the organisation has just been deleted."""
    if not rows:
        raise RefdeskError("not_found")
    if len(_known) >= PLAN_CACHE_SIZE:
        _known.clear()
    found = _limits(subject, *rows[0])
    _known[subject] = time.monotonic(), found
    return found


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
    """Take a request from the subject's limits, on an async route.

    Raises:
        RefdeskError: too_many_requests with retry_after_s.
    """
    limits = await limits_of(subject)
    if limits.requests:
        _judge(request, await limits_take(limits.requests))


def request_count_in_thread(request: HttpRequest, subject: Subject) -> None:
    """The same in a thread. Raises as `request_count`."""
    limits = limits_of_in_thread(subject)
    if limits.requests:
        _judge(request, limits_take_in_thread(limits.requests))


def _judge(request: HttpRequest, verdict: RateLimitResult) -> None:
    request.limit_verdict = verdict  # type: ignore[attr-defined]
    if not verdict.admitted:
        raise _refusal(verdict, "requests")


_WHOSE = {
    "organisation": "Your organisation's plan allows",
    "key": "This key's plan allows",
    "person": "One person may make",
    "visitor": "One visitor may make",
    "address": "One address may make",
}


def _refusal(verdict: RateLimitResult, what: str) -> RefdeskError:
    limit = verdict.limit
    words = f"{_WHOSE[limit.name]} {limit.most:,} {what} a minute."
    details = {"limit": limit.name, "per_minute": limit.most, "what": what}
    return RefdeskError("too_many_requests", words, details=details, retry_after_s=verdict.retry_s)


async def tokens_take(subject: Subject, tokens: int) -> bool:
    """Take what a turn may use of the minute's model tokens; whether there is such a limit, so that it is settled.

    Raises:
        RefdeskError: too_many_requests with retry_after_s.
    """
    limits = (await limits_of(subject)).tokens
    if not limits:
        return False
    verdict = await limits_take(limits, cost=tokens)
    if not verdict.admitted:
        raise _refusal(verdict, "model tokens")
    return True


async def tokens_settle(subject: Subject, *, taken: int, used: int) -> None:
    """Give back what a turn took too much, or take what it used above it. taken: as given to `tokens_take`."""
    for limit in (await limits_of(subject)).tokens:
        await limits_take([limit], cost=used - min(taken, limit.most), force=True)


def address_prefix(address: str) -> str:
    """What counts as one caller who has not said who they are.

    A single IPv4 address: many homes and offices share one, and a wider net would punish their neighbours. The /64 of
    an IPv6 address: one home has 2^64 of them.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def door_count(request: HttpRequest) -> None:
    """Take a request from the limit of its address, at a door where nobody has said yet who they are.

    Raises:
        RefdeskError: too_many_requests with retry_after_s.
    """
    prefix = address_prefix(str(request.META.get("REMOTE_ADDR", "")))
    limit = Limit("address", f"refdesk:limit:address:{prefix}", settings.DOOR_REQUESTS_PER_MINUTE)
    _judge(request, limits_take_in_thread([limit]))


def _headers(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    verdict: RateLimitResult | None = getattr(request, "limit_verdict", None)
    if verdict is not None:
        response["RateLimit-Limit"] = str(verdict.limit.most)
        response["RateLimit-Remaining"] = str(verdict.remaining)
        response["RateLimit-Reset"] = str(math.ceil(verdict.reset_s))
    return response


# Streams too: their headers go out with the first byte.
RateLimitMiddleware = middleware(_headers)
