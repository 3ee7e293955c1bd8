"""Routing: which model server answers, and what is known of its model."""

from dataclasses import replace
from functools import lru_cache

from django.conf import settings

from app.errors import Upstream
from app.llm.endpoint import Endpoint, ModelInfo
from app.llm.exchange import Effort, ExchangeFailed, exchange_run_async
from app.llm.providers import provider_of
from app.llm.providers.protocol import NoModelServed

ASK = Effort(attempts=1, within_s=3.0)  # a turn waits for it


def endpoint_default(model: str = "") -> Endpoint | None:
    """Return the deployment's model server, or None when there is none: answers are then extractive."""
    if not settings.LLM_URL:
        return None
    endpoint = _deployment_endpoint(settings.LLM_URL, settings.LLM_API_KEY)
    return replace(endpoint, model=model or settings.LLM_MODEL)


@lru_cache(maxsize=16)
def _deployment_endpoint(url: str, api_key: str) -> Endpoint:
    """Keep one endpoint for each address, so that what is learnt lasts longer than a turn."""
    return Endpoint(url, api_key=api_key)


def endpoints_forget() -> None:
    """Forget the deployment's endpoints with all that was learnt of them."""
    _deployment_endpoint.cache_clear()


async def model_info(endpoint: Endpoint) -> ModelInfo:
    """Return what the server says of the endpoint's model; remembered for five minutes.

    Raises:
        Upstream: model_unavailable, when the server does not respond or refuses; model_missing, when it has no model.
    """
    info = endpoint.learnt.info(endpoint.model)
    if info is None:
        exchange = provider_of(endpoint).info(endpoint.model)
        try:
            info = await exchange_run_async(exchange, endpoint=endpoint, effort=ASK)
        except NoModelServed as failure:
            raise Upstream("model_missing", details={"reason": failure.reason}) from failure
        except ExchangeFailed as failure:
            raise Upstream("model_unavailable", details={"reason": failure.reason}) from failure
        endpoint.learnt.info_keep(endpoint.model, info)
    return info
