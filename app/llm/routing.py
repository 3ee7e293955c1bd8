"""Routing: the choice of the model server for an organisation, and the facts of its model."""

import time
from dataclasses import dataclass, replace
from functools import lru_cache
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings

from app.errors import RefdeskError, Upstream
from app.lib.async_sql import fetch
from app.llm.endpoint import Endpoint, ModelInfo
from app.llm.exchange import ExchangeFailed, RequestPolicy, exchange_run_async
from app.llm.providers import PROVIDERS, provider_of
from app.llm.providers.protocol import NoModelServed
from app.secrets.services import secret_read

REQUEST = RequestPolicy(attempts=1, timeout_s=3.0)  # a turn waits for it
API_KEY = "model_endpoint.api_key"
# A change made by another process is seen after this time; one made by this process at once.
ROUTES_S = 5.0

# The organisation's servers before the deployment's.
_ROUTES = """
SELECT id, updated, organisation_id, name, kind, url, credential_id, defaults->>'model', is_default, from_environment
FROM llm_modelendpoint
WHERE organisation_id = %(organisation)s OR organisation_id IS NULL
ORDER BY organisation_id NULLS LAST, created
"""


@dataclass(frozen=True, slots=True)
class Route:
    """A model server that an organisation may use, from its row. `from_environment`: the settings have its key."""

    row: UUID
    updated: object
    organisation: UUID | None
    name: str
    kind: str
    url: str
    credential: UUID | None
    model: str | None
    is_default: bool
    from_environment: bool


_routes: dict[UUID, tuple[float, list[Route]]] = {}
# Keyed by the row and its last change, so that facts learnt of a server are kept until the row changes.
_endpoints: dict[tuple[UUID, object], Endpoint] = {}
ENDPOINTS_KEPT = 1000


def wire_format(kind: str) -> str:
    """Return the provider of a kind of server: its own, or else that of OpenAI's API."""
    return kind if kind in PROVIDERS else "openai"


def endpoint_default(model: str = "") -> Endpoint | None:
    """Return the environment's model server, or None when there is none: answers are then extractive."""
    if not settings.LLM_URL:
        return None
    endpoint = _environment_endpoint(settings.LLM_URL, settings.LLM_API_KEY)
    return replace(endpoint, model=model or settings.LLM_MODEL)


@lru_cache(maxsize=16)
def _environment_endpoint(url: str, api_key: str) -> Endpoint:
    """Return the one endpoint of an address, cached so that its learnt facts outlast a turn."""
    return Endpoint(url, api_key=api_key)


def endpoints_forget() -> None:
    """Forget every model server with its learnt facts, and read them anew."""
    _environment_endpoint.cache_clear()
    _routes.clear()
    _endpoints.clear()


async def endpoint_choose(*, organisation: UUID, wanted: str = "") -> Endpoint | None:
    """Return the model server that answers an organisation, with its model; None when there is none.

    wanted: the model that a bot names, as `endpoint/model` or a model. Without an endpoint's name the organisation's
    default server answers, else the deployment's, else the environment's.

    Raises:
        RefdeskError: database_unavailable.
        Upstream: secret_unreadable, secrets_key_missing.
    """
    routes = await _routes_of(organisation)
    name, _, model = wanted.partition("/")
    named = next((route for route in routes if route.name == name), None) if model else None
    if named is not None:
        return await _endpoint_of(named, model)
    default = next((route for route in routes if route.is_default), None)
    return endpoint_default(wanted) if default is None else await _endpoint_of(default, wanted)


async def _routes_of(organisation: UUID) -> list[Route]:
    read_at, routes = _routes.get(organisation, (0.0, None))
    if routes is None or time.monotonic() - read_at > ROUTES_S:
        routes = [Route(*row) for row in await fetch(_ROUTES, {"organisation": organisation})]
        _routes[organisation] = (time.monotonic(), routes)
    return routes


async def _endpoint_of(route: Route, model: str) -> Endpoint | None:
    if route.from_environment:
        return endpoint_default(model)
    endpoint = _endpoints.get((route.row, route.updated))
    if endpoint is None:
        try:
            api_key = await sync_to_async(api_key_read)(route.organisation, route.credential)
        except RefdeskError as error:
            raise Upstream(error.code, details=error.details) from error
        if len(_endpoints) >= ENDPOINTS_KEPT:
            _endpoints.clear()
        for known in [known for known in _endpoints if known[0] == route.row]:
            del _endpoints[known]
        endpoint = endpoint_make(route.kind, route.url, api_key, guarded=route.organisation is not None)
        _endpoints[route.row, route.updated] = endpoint
    return replace(endpoint, model=model or route.model or "")


def endpoint_make(kind: str, url: str, api_key: str, *, guarded: bool) -> Endpoint:
    """Return an endpoint without learnt facts."""
    return Endpoint(url, api_key=api_key, kind=wire_format(kind), guarded=guarded)


def api_key_read(organisation: UUID | None, credential: UUID | None) -> str:
    """Return the key of a server, empty when it has none. Raises RefdeskError when it cannot be read."""
    if credential is None:
        return ""
    return secret_read(organisation=organisation, secret=credential, purpose=API_KEY).reveal()


async def model_info(endpoint: Endpoint) -> ModelInfo:
    """Return the facts of the endpoint's model; cached for five minutes.

    Raises:
        Upstream: model_unavailable, when the server does not respond or refuses; model_missing, when it has no model;
            address_refused.
    """
    info = endpoint.learnt.info(endpoint.model)
    if info is None:
        exchange = provider_of(endpoint).info(endpoint.model)
        try:
            info = await exchange_run_async(exchange, endpoint=endpoint, policy=REQUEST)
        except NoModelServed as failure:
            raise Upstream("model_missing", details={"reason": failure.reason}) from failure
        except ExchangeFailed as failure:
            raise Upstream("model_unavailable", details={"reason": failure.reason}) from failure
        endpoint.learnt.info_keep(endpoint.model, info)
    return info
