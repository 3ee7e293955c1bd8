"""Trials: a model server is asked for one token, or for its list of models, and the outcome is reported."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from django.db import connection

from app.errors import CODES, RefdeskError, Upstream
from app.lib.http import http_session_close
from app.llm.deltas import Reply
from app.llm.endpoint import Endpoint, ModelInfo
from app.llm.exchange import ExchangeFailed, RequestPolicy, exchange_run_async
from app.llm.messages import ChatMessage
from app.llm.models import ModelEndpoint
from app.llm.providers import provider_of
from app.llm.providers.protocol import ServedModel, Timeouts
from app.llm.routing import api_key_read, endpoint_default, endpoint_make, model_info
from app.llm.waiting import one_of_few

# A cold model is loaded first, half a minute for a large one; a proxy gives up after one minute.
TIMEOUTS = Timeouts(first_token_s=45.0, between_s=10.0, total_s=50.0)
LIST = RequestPolicy(attempts=1, timeout_s=10.0)
QUESTION = "Say OK."
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Trial:
    """The result of a trial. `learnt`: the capabilities that the server has shown, empty when there are none."""

    took_s: float
    model: str | None = None
    text: str | None = None
    error: RefdeskError | None = None
    learnt: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.error is None


def endpoint_open(row: ModelEndpoint) -> Endpoint:
    """Return the server of a row with its key, for the model that answers by default.

    Raises:
        RefdeskError: secret_unreadable, secrets_key_missing; model_missing, when the environment names no server now.
    """
    if row.from_environment:
        endpoint = endpoint_default()
        if endpoint is None:
            raise RefdeskError("model_missing")
        return endpoint
    organisation: UUID | None = row.organisation_id
    opened = endpoint_make(
        row.kind, row.url, api_key_read(organisation, row.credential_id), guarded=organisation is not None
    )
    model = row.defaults.get("model") or next((each["name"] for each in row.served_models), "")
    return replace(opened, model=model)


def endpoint_try(*, organisation: UUID | None, endpoint: Endpoint) -> Trial:
    """Request one token, from a thread. A failure of the server is a result, not an error.

    Raises:
        RefdeskError: too_many_requests, when the organisation is testing already.
    """
    return _asked(organisation, partial(_try, endpoint))


def models_served(*, organisation: UUID | None, endpoint: Endpoint) -> list[ServedModel]:
    """Return the server's own list of models, from a thread.

    Raises:
        Upstream: model_unavailable, address_refused.
        RefdeskError: too_many_requests.
    """
    return _asked(organisation, partial(_models, endpoint))


def _asked(organisation: UUID | None, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run the calls in a new event loop, few at a time, after returning the database connection."""
    with one_of_few(organisation):
        # One pool of 24 serves every organisation, and a server may take a minute.
        if not connection.in_atomic_block:
            connection.close()
        return asyncio.run(_closing(ask))


async def _closing(ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
    try:
        return await ask()
    finally:
        await http_session_close()


async def _try(endpoint: Endpoint) -> Trial:
    began = time.perf_counter()
    model: str | None = endpoint.model or None
    try:
        info = await _info(endpoint)
        model = info.model
        reply = await _one_token(endpoint, model)
    except RefdeskError as error:
        return Trial(time.perf_counter() - began, model, error=error)
    learnt = {"context": info.context, "slots": info.slots, "refused": sorted(endpoint.learnt.refused)}
    return Trial(time.perf_counter() - began, model, reply.text, learnt=learnt)


async def _info(endpoint: Endpoint) -> ModelInfo:
    """Return the model's context, and its name if none is given; a server without a list of models may still answer."""
    try:
        return await model_info(endpoint)
    except Upstream as error:
        if not endpoint.model or error.code == "address_refused":
            raise
        return ModelInfo(endpoint.model, context_known=False)


async def _one_token(endpoint: Endpoint, model: str) -> Reply:
    reply, question = Reply(), [ChatMessage.user(QUESTION)]
    chat = provider_of(endpoint).chat(question, model=model, max_tokens=1, temperature=0, timeouts=TIMEOUTS)
    async with chat as stream:
        async for delta in stream:
            reply.add(delta)
    return reply


async def _models(endpoint: Endpoint) -> list[ServedModel]:
    try:
        return await exchange_run_async(provider_of(endpoint).models(), endpoint=endpoint, policy=LIST)
    except ExchangeFailed as failure:
        raise Upstream("model_unavailable", details={"reason": failure.reason}) from failure


def failure_read(error: RefdeskError) -> dict[str, str]:
    """Return the fields of a failure that people see: no details, which may repeat the request's content."""
    return {"code": error.code, "message": error.message, "hint": CODES[error.code].hint}
